package dbsapi_test

import (
	"slices"
	"strings"
	"testing"

	"aliyun_dbs_exporter/dbsapi"
)

// The table is the endpoint list of the API metadata, with the three regions that only the SDKs still have.
func TestEndpoints(t *testing.T) {
	const central = "dbs-api.cn-hangzhou.aliyuncs.com"
	want := map[string][2]string{
		"ap-northeast-1":        {"dbs-api.ap-northeast-1.aliyuncs.com", "dbs-api-vpc.ap-northeast-1.aliyuncs.com"},
		"ap-south-1":            {"dbs-api.ap-south-1.aliyuncs.com", ""},
		"ap-southeast-1":        {"dbs-api.ap-southeast-1.aliyuncs.com", "dbs-api-vpc.ap-southeast-1.aliyuncs.com"},
		"ap-southeast-2":        {"dbs-api.ap-southeast-2.aliyuncs.com", "dbs-api-vpc.ap-southeast-2.aliyuncs.com"},
		"ap-southeast-3":        {"dbs-api.ap-southeast-3.aliyuncs.com", "dbs-api-vpc.ap-southeast-3.aliyuncs.com"},
		"ap-southeast-5":        {"dbs-api.ap-southeast-5.aliyuncs.com", "dbs-api-vpc.ap-southeast-5.aliyuncs.com"},
		"cn-beijing":            {central, "dbs-api-vpc.cn-beijing.aliyuncs.com"},
		"cn-chengdu":            {"dbs-api.cn-chengdu.aliyuncs.com", "dbs-api-vpc.cn-chengdu.aliyuncs.com"},
		"cn-hangzhou":           {central, "dbs-api-vpc.cn-hangzhou.aliyuncs.com"},
		"cn-hangzhou-finance":   {central, ""},
		"cn-hongkong":           {central, "dbs-api-vpc.cn-hongkong.aliyuncs.com"},
		"cn-huhehaote":          {"dbs-api.cn-huhehaote.aliyuncs.com", "dbs-api-vpc.cn-huhehaote.aliyuncs.com"},
		"cn-qingdao":            {central, "dbs-api-vpc.cn-qingdao.aliyuncs.com"},
		"cn-shanghai":           {central, "dbs-api-vpc.cn-shanghai.aliyuncs.com"},
		"cn-shanghai-finance-1": {central, "dbs-api-vpc.cn-shanghai-finance-1.aliyuncs.com"},
		"cn-shenzhen":           {central, "dbs-api-vpc.cn-shenzhen.aliyuncs.com"},
		"cn-shenzhen-finance-1": {central, "dbs-api-vpc.cn-shenzhen-finance-1.aliyuncs.com"},
		"cn-wulanchabu":         {"dbs-api.cn-wulanchabu.aliyuncs.com", "dbs-api-vpc.cn-wulanchabu.aliyuncs.com"},
		"cn-zhangjiakou":        {"dbs-api.cn-zhangjiakou.aliyuncs.com", "dbs-api-vpc.cn-zhangjiakou.aliyuncs.com"},
		"eu-central-1":          {"dbs-api.eu-central-1.aliyuncs.com", "dbs-api-vpc.eu-central-1.aliyuncs.com"},
		"eu-west-1":             {"dbs-api.eu-west-1.aliyuncs.com", "dbs-api-vpc.eu-west-1.aliyuncs.com"},
		"me-east-1":             {"dbs-api.me-east-1.aliyuncs.com", ""},
		"us-east-1":             {central, "dbs-api-vpc.us-east-1.aliyuncs.com"},
		"us-west-1":             {central, "dbs-api-vpc.us-west-1.aliyuncs.com"},
	}
	regions := dbsapi.Regions()
	if len(regions) != len(want) || !slices.IsSorted(regions) {
		t.Errorf("regions are %v", regions)
	}
	for region, hosts := range want {
		for i, network := range []dbsapi.Network{dbsapi.NetworkPublic, dbsapi.NetworkVPC} {
			host, err := dbsapi.Endpoint(region, network)
			if host != hosts[i] || (err == nil) != (hosts[i] != "") {
				t.Errorf("%s, %s: got %q and %v, want %q", region, network, host, err, hosts[i])
			}
		}
	}
	if _, err := dbsapi.Endpoint("me-east-1", dbsapi.NetworkVPC); err == nil || err.Error() != "region has no known vpc endpoint" {
		t.Errorf("error is %v", err)
	}
	if _, err := dbsapi.Endpoint("mars-1", dbsapi.NetworkPublic); err == nil ||
		!strings.HasPrefix(err.Error(), "region has no known endpoint; known are ap-northeast-1, ap-south-1,") {
		t.Errorf("error is %v", err)
	}
}

func TestParseEndpoint(t *testing.T) {
	tests := []struct{ in, want, err string }{
		{in: "dbs-api.cn-hangzhou.aliyuncs.com", want: "https://dbs-api.cn-hangzhou.aliyuncs.com/"},
		{in: "DBS-API.cn-hangzhou.aliyuncs.com", want: "https://dbs-api.cn-hangzhou.aliyuncs.com/"},
		{in: "dbs.example:8443", want: "https://dbs.example:8443/"},
		{in: "dbs.example:443", want: "https://dbs.example/"},
		{in: "https://dbs.example", want: "https://dbs.example/"},
		{in: "https://dbs.example:443/", want: "https://dbs.example/"},
		{in: "http://127.0.0.1:8080", want: "http://127.0.0.1:8080/"},
		{in: "http://localhost", want: "http://localhost/"},
		{in: "http://[::1]:80", want: "http://[::1]:80/"},
		{in: "", err: "must be a host, host:port or URL"},
		{in: "https://", err: "must be a host, host:port or URL"},
		{in: "https://%zz", err: "must be a host, host:port or URL"},
		{in: "http://dbs.example", err: "must use https; http is accepted for loopback hosts only"},
		{in: "http://10.0.0.1", err: "must use https; http is accepted for loopback hosts only"},
		{in: "http://localhost.example", err: "must use https; http is accepted for loopback hosts only"},
		{in: "ftp://dbs.example", err: "must use https; http is accepted for loopback hosts only"},
		{in: "https://user:password@dbs.example", err: "must not hold a user name or password"},
		{in: "https://dbs.example/path", err: "must not have a path, query or fragment"},
		{in: "https://dbs.example?a=b", err: "must not have a path, query or fragment"},
		{in: "https://dbs.example#f", err: "must not have a path, query or fragment"},
	}
	for _, tt := range tests {
		u, err := dbsapi.ParseEndpoint(tt.in)
		switch {
		case tt.err != "":
			if err == nil || err.Error() != tt.err {
				t.Errorf("%q: error is %v, want %s", tt.in, err, tt.err)
			}
		case err != nil:
			t.Errorf("%q: %v", tt.in, err)
		case u.String() != tt.want:
			t.Errorf("%q: got %s, want %s", tt.in, u, tt.want)
		}
	}
}
