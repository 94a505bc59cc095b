// Package official makes clients out of the libraries that Alibaba Cloud publishes, for tests that hold the project's
// own client against them. They call plain http on a loopback host, and never through a proxy.
package official

import (
	"fmt"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dbs"
)

// APIVersion is the version of the DBS API that both libraries are asked for.
const APIVersion = "2019-03-06"

// Keys sign requests. Token is empty for a lasting key.
type Keys struct{ ID, Secret, Token string }

// Legacy returns the typed DBS client of the older Go SDK. It signs with HMAC-SHA1 in the query, and it sends the
// region as RegionId.
func Legacy(host, region string, k Keys) (*dbs.Client, error) {
	var credential auth.Credential = credentials.NewAccessKeyCredential(k.ID, k.Secret)
	if k.Token != "" {
		credential = credentials.NewStsTokenCredential(k.ID, k.Secret, k.Token)
	}
	client, err := dbs.NewClientWithOptions(region, sdk.NewConfig(), credential)
	if err != nil {
		return nil, fmt.Errorf("client of the legacy SDK: %w", err)
	}
	client.Domain = host
	client.SetNoProxy(host) // costs 5 µs a call, since the SDK compiles it to a pattern each time
	return client, nil
}

// Core returns the core on which the current Go SDKs are generated. It signs with ACS3-HMAC-SHA256 in headers.
func Core(host string, k Keys) (*openapi.Client, error) {
	config := &openapiutil.Config{
		AccessKeyId:     new(k.ID),
		AccessKeySecret: new(k.Secret),
		Endpoint:        new(host),
		Protocol:        new("http"),
		NoProxy:         new(host),
	}
	if k.Token != "" {
		config.SecurityToken = new(k.Token)
	}
	client, err := openapi.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("client of the generic core: %w", err)
	}
	return client, nil
}

// Params are what a generated SDK tells the core about an operation of DBS.
func Params(action string) *openapiutil.Params {
	return &openapiutil.Params{
		Action:      new(action),
		Version:     new(APIVersion),
		Protocol:    new("HTTPS"),
		Pathname:    new("/"),
		Method:      new("POST"),
		AuthType:    new("AK"),
		Style:       new("RPC"),
		ReqBodyType: new("formData"),
		BodyType:    new("json"),
	}
}

// Query is a request with parameters in the query, where generated SDKs put those of DBS.
func Query(params map[string]string) *openapiutil.OpenApiRequest {
	query := make(map[string]*string, len(params))
	for name, value := range params {
		query[name] = &value
	}
	return &openapiutil.OpenApiRequest{Query: query}
}
