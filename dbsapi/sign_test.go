package dbsapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"aliyun_dbs_exporter/dbsapi/credentials"
)

// The first vector is the one of Alibaba Cloud's documentation of the signature; the others were made with the
// official darabonba-openapi core for DBS requests.
func TestSignVectors(t *testing.T) {
	tests := []struct {
		name                             string
		cred                             credentials.Credentials
		host, action, version            string
		params                           map[string]string
		at                               time.Time
		nonce                            string
		canonicalHash, signature, signed string
	}{
		{
			name: "documentation",
			cred: credentials.New("YourAccessKeyId", "YourAccessKeySecret", "", time.Time{}),
			host: "ecs.cn-shanghai.aliyuncs.com", action: "RunInstances", version: "2014-05-26",
			params: map[string]string{
				"ImageId":  "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
				"RegionId": "cn-shanghai",
			},
			at:            time.Date(2023, 10, 26, 10, 22, 32, 0, time.UTC),
			nonce:         "3156853299f313e23d1673dc12e1703d",
			canonicalHash: "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259",
			signature:     "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
			signed:        "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version",
		},
		{
			name: "download tasks",
			cred: credentials.New("testid", "testsecret", "", time.Time{}),
			host: "dbs-api.cn-hangzhou.aliyuncs.com", action: ActionDownloadTasks, version: apiVersion,
			params:        map[string]string{"BackupPlanId": "dbsqhnuhyw3abcd", "PageNum": "0", "PageSize": "100"},
			at:            time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			nonce:         "00112233445566778899aabbccddeeff",
			canonicalHash: "ae0c3fdb5bb4be1e09a1877381c64320f6b9c174aa270958285019528b85d674",
			signature:     "becf9ab460cf8500815b1b7153e23c3da16507c9dfb8098051867ba8bfec201c",
			signed:        "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version",
		},
		{
			name: "download tasks with a session token",
			cred: credentials.New("testid", "testsecret", "CAISt/token+with=chars", time.Time{}),
			host: "dbs-api.ap-southeast-1.aliyuncs.com", action: ActionDownloadTasks, version: apiVersion,
			params:        map[string]string{"BackupPlanId": "dbsqhnuhyw3abcd", "PageNum": "1", "PageSize": "30"},
			at:            time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			nonce:         "00112233445566778899aabbccddeeff",
			canonicalHash: "96b95185752191b8b8c8c798b23f28d08f05d45541f923605a62ea60e894c513",
			signature:     "b55b263647ceb2b15dc348014a5647b5dc1ee8a66dee618e185dc208d093fa11",
			signed:        "host;x-acs-accesskey-id;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version",
		},
		{
			name: "plans, with every kind of character",
			cred: credentials.New("testid", "testsecret", "", time.Time{}),
			host: "127.0.0.1:18080", action: ActionBackupPlans, version: apiVersion,
			params: map[string]string{
				"BackupPlanName": "a b*c~d/e+f中", "BackupPlanStatus": "", "PageNum": "0", "PageSize": "100", "Region": "cn-hangzhou",
			},
			at:            time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			nonce:         "00112233445566778899aabbccddeeff",
			canonicalHash: "12f7c7ca94aae65b2f87f1f2891bb7e8b882a06fdf30c7c7f513f6c6e72605d9",
			signature:     "c4724a118b32f768d3a5087d2118f5ed6e7ab2e5e6036ad7a1ba0fafd617f5e4",
			signed:        "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodPost, "https://"+tt.host+"/?"+canonicalQuery(tt.params), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept", "application/json") // must not be signed
			req.Header.Set("X-Acs-Action", tt.action)
			req.Header.Set("X-Acs-Version", tt.version)
			sign(req, tt.cred, tt.at, tt.nonce)

			canonical, signed := canonicalRequest(req)
			if got := sha256Hex(canonical); got != tt.canonicalHash {
				t.Errorf("hash of the canonical request is %s, want %s; it is\n%s", got, tt.canonicalHash, canonical)
			}
			if signed != tt.signed {
				t.Errorf("signed headers are %s, want %s", signed, tt.signed)
			}
			want := "ACS3-HMAC-SHA256 Credential=" + tt.cred.AccessKeyID() + ",SignedHeaders=" + tt.signed + ",Signature=" + tt.signature
			if got := req.Header.Get("Authorization"); got != want {
				t.Errorf("Authorization is\n%s, want\n%s", got, want)
			}
		})
	}
}

func TestCanonicalQuery(t *testing.T) {
	tests := []struct {
		params map[string]string
		want   string
	}{
		{nil, ""},
		{map[string]string{"b": "2", "a": "1"}, "a=1&b=2"},
		{map[string]string{"empty": ""}, "empty="},
		{map[string]string{"k": " *+/~-_.%&="}, "k=%20%2A%2B%2F~-_.%25%26%3D"},
		{map[string]string{"名": "中"}, "%E5%90%8D=%E4%B8%AD"},
	}
	for _, tt := range tests {
		if got := canonicalQuery(tt.params); got != tt.want {
			t.Errorf("canonicalQuery(%v) = %s, want %s", tt.params, got, tt.want)
		}
	}
	// The signed query must be the one that net/http sends.
	req, err := http.NewRequest(http.MethodPost, "https://host/?"+canonicalQuery(map[string]string{"k": "a b*~"}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := req.URL.RequestURI(); !strings.HasSuffix(got, "k=a%20b%2A~") {
		t.Errorf("request URI is %s", got)
	}
}
