// Lists every page of a DBS operation through one of the official Node.js cores. Takes an order as JSON on standard
// input, prints {"Rows": [...]}, or {"Code": "..."} where the API answered with an error.
import { readFileSync } from "node:fs";

const order = JSON.parse(readFileSync(0, "utf8"));
const { default: library } = await import(order.module);
const { Config, Params, OpenApiRequest } = library.$OpenApiUtil ?? library;

const client = new library.default(
  new Config({
    accessKeyId: order.keys.ID,
    accessKeySecret: order.keys.Secret,
    securityToken: order.keys.Token || undefined,
    endpoint: order.endpoint,
    protocol: "http",
  }),
);
const params = new Params({
  action: order.action,
  version: order.version,
  protocol: "HTTPS",
  pathname: "/",
  method: "POST",
  authType: "AK",
  style: "RPC",
  reqBodyType: "formData",
  bodyType: "json",
});

async function page(num) {
  const query = { ...order.query, PageNum: String(num), PageSize: String(order.pageSize) };
  const { body } = await client.callApi(params, new OpenApiRequest({ query }), {});
  return body.Items[order.listName];
}

async function everyPage() {
  const rows = [];
  for (let num = 0; num < 10; num++) {
    const items = await page(num);
    rows.push(...items);
    if (items.length < order.pageSize) return rows;
  }
  throw new Error("the list does not end");
}

try {
  console.log(JSON.stringify({ Rows: await everyPage() }));
} catch (error) {
  if (!error.code) throw error;
  console.log(JSON.stringify({ Code: error.code }));
}
