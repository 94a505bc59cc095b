package dbsapi_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"time"

	"aliyun_dbs_exporter/dbsapi/dbssim"
)

const (
	closedEarly = "network: connection closed before the answer was complete"
	failed      = "network: connection failed"
	notDBSText  = "decode: the answer is not the JSON that DBS sends (HTTP 200)"
	tooLarge    = "decode: the answer exceeds 8 MiB (HTTP 200)"
	tooManyRows = "decode: the answer has more rows than were asked for (HTTP 200)"
	outOfTime   = "timeout: the poll's time ran out before the first page"
)

var hostileStatuses = []hostile{
	{name: "201 with a list", answer: response("201 Created", oneRow), requests: 1},
	{name: "206 with a list", answer: response("206 Partial Content", oneRow), requests: 1},
	{name: "200 without a body", answer: ok(""), want: notDBSText, requests: 1},
	{name: "204", answer: "HTTP/1.1 204 No Content\r\n\r\n", want: "decode: the answer is not the JSON that DBS sends (HTTP 204)", requests: 1},
	{name: "300 with a list", answer: response("300 Multiple Choices", oneRow), want: "other (HTTP 300)", requests: 1},
	{name: "304", answer: "HTTP/1.1 304 Not Modified\r\n\r\n", want: "other (HTTP 304)", requests: 1},
	{name: "400 with a list", answer: response("400 Bad Request", oneRow), want: "invalid_request (HTTP 400)", requests: 1},
	{name: "418", answer: response("418 I'm a teapot", "short and stout"), want: "invalid_request (HTTP 418)", requests: 1},
	{name: "500 with a list", answer: response("500 Internal Server Error", oneRow), want: "server (HTTP 500)", requests: 4},
	{name: "999 with a list", answer: response("999 ?", oneRow), want: "server (HTTP 999)", requests: 4},
	{name: "000 with a list", answer: response("000 ?", oneRow), want: "other", requests: 1},
	{name: "101, kept open", serve: func(c *conn) {
		c.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_, _ = io.Copy(io.Discard, c) // until the client leaves
	}, want: "other (HTTP 101)", requests: 1},
	{name: "101", answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n" + oneRow, want: "other (HTTP 101)", requests: 1},
	{name: "103 before a list", answer: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok(oneRow), requests: 1},
	{name: "100 without end", serve: flood("", "HTTP/1.1 100 Continue\r\n\r\n"), want: failed, requests: 4},
	{name: "redirect to itself", answer: response("302 Found\r\nLocation: /", ""), want: "other (HTTP 302)", requests: 1},
	{name: "redirect that keeps the method", answer: response("307 Temporary Redirect\r\nLocation: http://elsewhere.example/", oneRow), want: "other (HTTP 307)", requests: 1},
	{name: "permanent redirect", answer: response("308 Permanent Redirect\r\nLocation: http://elsewhere.example/", oneRow), want: "other (HTTP 308)", requests: 1},
	{name: "redirect to nowhere", answer: response("301 Moved Permanently", oneRow), want: "other (HTTP 301)", requests: 1},
	{name: "redirect to a script", answer: response("303 See Other\r\nLocation: javascript:alert(1)", oneRow), want: "other (HTTP 303)", requests: 1},
	{name: "throttled without end", answer: response("429 Too Many Requests\r\nRetry-After: 99999999999999999999", ""), want: "throttled (HTTP 429)", requests: 4},
	{name: "token in the code", answer: response("400 "+testToken, `{"Code":"`+testSecret+`","RequestId":"`+testToken+`","Message":"`+testToken+`"}`), want: "invalid_request (HTTP 400)", requests: 1},
	{name: "key in the code", answer: response("403 "+testKeyID, `{"Code":"LTAI","RequestId":"`+testKeyID+`","HostId":"`+testKeyID+`"}`), want: "forbidden (HTTP 403)", requests: 1},
	{name: "message of two-byte letters", build: func() string {
		return response("400 Bad Request", `{"Code":"X","Message":"`+strings.Repeat("Ⱥ", 300)+` server `+dbssim.FreeText+`"}`)
	}, want: "invalid_request (HTTP 400, code X)", requests: 1},
}

var hostileHeaders = []hostile{
	{name: "no HTTP", answer: "220 mail.example ESMTP\r\n", want: failed, requests: 4},
	{name: "body without a head", answer: oneRow, want: failed, requests: 4},
	{name: "HTTP/1.0", answer: "HTTP/1.0 200 OK\r\n\r\n" + oneRow, requests: 1},
	{name: "HTTP/2", answer: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", want: failed, requests: 4},
	{name: "HTTP/9.9", answer: "HTTP/9.9 200 OK\r\n\r\n" + oneRow, requests: 1},
	{name: "status line without end", serve: flood("HTTP/1.1 200 ", "O"), want: failed, requests: 4},
	{name: "one header without end", serve: flood("HTTP/1.1 200 OK\r\nX: ", "x"), want: failed, requests: 4},
	{name: "headers without end", serve: flood("HTTP/1.1 200 OK\r\n", "X-Y: z\r\n"), want: failed, requests: 4},
	{name: "header without a colon", answer: "HTTP/1.1 200 OK\r\nX\r\n\r\n" + oneRow, want: failed, requests: 4},
	{name: "header with a null byte", answer: response("200 OK\r\nX: a\x00b", oneRow), want: failed, requests: 4},
	{name: "negative length", answer: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + oneRow, want: failed, requests: 4},
	{name: "two lengths", answer: response("200 OK\r\nContent-Length: 3", oneRow), want: failed, requests: 4},
	{name: "length and chunks", answer: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(oneRow) + "0\r\n\r\n", requests: 1},
	{name: "length that is too large", answer: "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n" + oneRow, want: closedEarly, requests: 4},
	{name: "length that is too small", answer: "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n" + oneRow, want: notDBSText, requests: 1},
	{name: "unknown transfer encoding", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: magic\r\n\r\n" + oneRow, want: failed, requests: 4},
	{name: "chunk size that overflows", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n" + oneRow, want: failed, requests: 4},
	{name: "chunk without end", serve: flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7FFFFFFFFFFFFFFF\r\n", " "), want: tooLarge, requests: 1},
	{name: "chunk extension without end", serve: flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x"), want: failed, requests: 4},
	{name: "trailers without end", serve: flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk(oneRow)+"0\r\n", "X: y\r\n"), want: failed, requests: 4},
	{name: "invalid date", build: func() string { return response("200 OK\r\nDate: "+strings.Repeat("9", 999), oneRow) }, requests: 1},
	{name: "compressed twice", build: func() string { return response("200 OK\r\nContent-Encoding: gzip", zipped(zipped(oneRow))) }, want: notDBSText, requests: 1},
	{name: "unknown compression", answer: response("200 OK\r\nContent-Encoding: br", oneRow), requests: 1},
	{name: "no compression where some is named", answer: response("200 OK\r\nContent-Encoding: gzip", oneRow), want: failed, requests: 4},
	{name: "compressed and cut", build: func() string { return response("200 OK\r\nContent-Encoding: gzip", zipped(oneRow)[:40]) }, want: closedEarly, requests: 4},
	{name: "compressed", build: func() string { return response("200 OK\r\nContent-Encoding: gzip", zipped(oneRow)) }, requests: 1},
}

var hostileBodies = []hostile{
	{name: "Success alone", answer: ok(`{"Success":true}`), want: notDBSText, requests: 1},
	{name: "HTML", answer: ok(`<html>` + dbssim.FreeText), want: notDBSText, requests: 1},
	{name: "byte order mark", answer: ok("\uFEFF" + oneRow), want: notDBSText, requests: 1},
	{name: "UTF-16", answer: ok("{\x00}\x00"), want: notDBSText, requests: 1},
	{name: "spaces without end", serve: flood("HTTP/1.1 200 OK\r\n\r\n", " "), want: tooLarge, requests: 1},
	{name: "error without end", serve: flood("HTTP/1.1 502 Bad Gateway\r\n\r\n", "x"), want: "server (HTTP 502)", requests: 4},
	{name: "compressed spaces without end", build: func() string {
		return response("200 OK\r\nContent-Encoding: gzip", zipped(strings.Repeat(" ", 16<<20)))
	}, want: tooLarge, requests: 1},
	{name: "compressed rows without end", build: func() string {
		return response("200 OK\r\nContent-Encoding: gzip", zipped(`{"Success":true,"Items":[`+strings.Repeat(`{},`, 2<<20)))
	}, want: tooManyRows, requests: 1},
	{name: "empty rows without end", build: func() string { return ok(`{"Success":true,"Items":[` + strings.Repeat(`{},`, 2<<20)) }, want: tooManyRows, requests: 1},
	{name: "rows without end", build: func() string {
		return ok(`{"Success":true,"Items":[` + strings.Repeat(`{"BackupSetDownloadTaskId":1},`, 250_000))
	}, want: tooManyRows, requests: 1},
	{name: "lists of rows without end", build: func() string {
		return ok(`{"Success":true,"Items":{` + strings.Repeat(`"BackupSetDownloadTaskDetail":{"BackupSetId":1},`, 100_000))
	}, want: tooManyRows, requests: 1},
	{name: "members without end", build: func() string { return ok(manyMembers("")) }, want: notDBSText, requests: 1},
	{name: "one member again and again", build: func() string { return ok(`{"Items":[{` + strings.Repeat(`"BackupSetDbType":"x",`, 300_000)) }, want: notDBSText, requests: 1},
	{name: "brackets without end", build: func() string { return ok(strings.Repeat(`[`, 8<<20-1)) }, want: notDBSText, requests: 1},
	{name: "unknown member of brackets", build: func() string { return ok(`{"X":` + strings.Repeat(`[`, 8<<20-9)) }, want: notDBSText, requests: 1},
	{name: "one text of 8 MiB", build: func() string {
		return ok(`{"Success":true,"TotalElements":1,"Items":[{"BackupSetDownloadTaskId":"a","BackupSetDownloadTaskName":"` + strings.Repeat("x", 8<<20-200) + `"}]}`)
	}, requests: 1},
	{name: "one number of 8 MiB", build: func() string {
		return ok(`{"Success":true,"TotalElements":1,"Items":[{"BackupSetDownloadTaskId":"a","BackupSetDataSize":` + strings.Repeat("9", 8<<20-200) + `}]}`)
	}, requests: 1},
	{name: "exponent that is too large", answer: ok(`{"Success":true,"TotalElements":1e99999999,"Items":[{"BackupSetDownloadTaskId":"a","BackupSetDataSize":1e-99999999}]}`), requests: 1},
}

var hostileTimes = []hostile{
	{name: "silence", serve: hang, want: outOfTime, requests: 3},
	{name: "connection closed", serve: func(*conn) {}, want: closedEarly, requests: 4},
	{name: "silence after the head", serve: func(c *conn) { c.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"); hang(c) }, want: outOfTime, requests: 3},
	{name: "silence in the head", serve: func(c *conn) { c.send("HTTP/1.1 200 OK\r\nX"); hang(c) }, want: outOfTime, requests: 3},
	{name: "one byte a second", serve: func(c *conn) { c.drip(ok(oneRow), time.Second) }, want: outOfTime, requests: 3},
	{name: "one byte each 100 ms", serve: func(c *conn) { c.drip(ok(oneRow), 100*time.Millisecond) }, requests: 1},
	{name: "100 once a second", serve: func(c *conn) {
		for c.send("HTTP/1.1 100 Continue\r\n\r\n") {
			time.Sleep(time.Second)
		}
	}, want: outOfTime, requests: 3},
	{name: "answer after 14 s", serve: func(c *conn) { time.Sleep(14 * time.Second); c.send(ok(oneRow)) }, requests: 1},
	{name: "two answers", serve: func(c *conn) { c.send(ok(oneRow) + ok(`{"Success":true}`)); hang(c) }, requests: 1},
}

// hang keeps a connection open until the client closes it.
func hang(c *conn) {
	for {
		if _, err := c.reader.ReadByte(); err != nil {
			return
		}
	}
}

// flood sends a start, and more of the same until the client closes the connection.
func flood(start, unit string) func(*conn) {
	return func(c *conn) {
		more := strings.Repeat(unit, 1<<15/len(unit))
		for sent := c.send(start); sent; sent = c.send(more) {
		}
	}
}

// drip sends one byte at a time.
func (c *conn) drip(text string, every time.Duration) {
	for i := range len(text) {
		if !c.send(text[i : i+1]) {
			return
		}
		time.Sleep(every)
	}
}

// chunk is a body's part in chunked encoding.
func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	fmt.Fprint(w, text)
	w.Close()
	return b.String()
}

// manyMembers is an object that has almost 8 MiB of members with names of their own.
func manyMembers(start string) string {
	var b strings.Builder
	b.WriteString("{" + start)
	for i := 0; b.Len() < 8<<20-100; i++ {
		fmt.Fprintf(&b, `"%x":1,`, i)
	}
	return b.String()
}
