package dbsapi

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Network is the side from which an endpoint is reached.
type Network string

// The networks of an endpoint.
const (
	// NetworkPublic is the internet.
	NetworkPublic Network = "public"
	// NetworkVPC is a virtual private cloud in the endpoint's own region; it costs no traffic and needs no way out.
	NetworkVPC Network = "vpc"
)

// regionEndpoint holds the hosts of one region; an empty host does not exist.
type regionEndpoint struct{ public, vpc string }

// centralEndpoint serves several regions. They share its request quota too.
const centralEndpoint = "dbs-api.cn-hangzhou.aliyuncs.com"

// endpoints maps a region to its hosts.
//
// Source: the endpoint list in the API metadata of DBS 2019-03-06 (2025-12). The regions that it dropped but the
// official SDKs still list (ap-south-1, ap-southeast-2, me-east-1) are kept, for accounts that still hold plans there.
// The SDKs' fallback rule dbs.<region>.aliyuncs.com names hosts that do not exist, so it is not followed.
var endpoints = map[string]regionEndpoint{
	"ap-northeast-1":        regional("ap-northeast-1"),
	"ap-south-1":            {public: "dbs-api.ap-south-1.aliyuncs.com"},
	"ap-southeast-1":        regional("ap-southeast-1"),
	"ap-southeast-2":        regional("ap-southeast-2"),
	"ap-southeast-3":        regional("ap-southeast-3"),
	"ap-southeast-5":        regional("ap-southeast-5"),
	"cn-beijing":            central("cn-beijing"),
	"cn-chengdu":            regional("cn-chengdu"),
	"cn-hangzhou":           regional("cn-hangzhou"),
	"cn-hangzhou-finance":   {public: centralEndpoint},
	"cn-hongkong":           central("cn-hongkong"),
	"cn-huhehaote":          regional("cn-huhehaote"),
	"cn-qingdao":            central("cn-qingdao"),
	"cn-shanghai":           central("cn-shanghai"),
	"cn-shanghai-finance-1": central("cn-shanghai-finance-1"),
	"cn-shenzhen":           central("cn-shenzhen"),
	"cn-shenzhen-finance-1": central("cn-shenzhen-finance-1"),
	"cn-wulanchabu":         regional("cn-wulanchabu"),
	"cn-zhangjiakou":        regional("cn-zhangjiakou"),
	"eu-central-1":          regional("eu-central-1"),
	"eu-west-1":             regional("eu-west-1"),
	"me-east-1":             {public: "dbs-api.me-east-1.aliyuncs.com"},
	"us-east-1":             central("us-east-1"),
	"us-west-1":             central("us-west-1"),
}

func regional(region string) regionEndpoint {
	return regionEndpoint{public: "dbs-api." + region + ".aliyuncs.com", vpc: vpcHost(region)}
}

func central(region string) regionEndpoint {
	return regionEndpoint{public: centralEndpoint, vpc: vpcHost(region)}
}

func vpcHost(region string) string { return "dbs-api-vpc." + region + ".aliyuncs.com" }

// Endpoint returns the host that serves a region, or an error that lists what exists.
// A region that is missing here may still be served: its host can be given to [New] directly.
func Endpoint(regionID string, network Network) (string, error) {
	hosts, ok := endpoints[regionID]
	if !ok {
		return "", fmt.Errorf("region has no known endpoint; known are %s", strings.Join(Regions(), ", "))
	}
	host := hosts.public
	if network == NetworkVPC {
		host = hosts.vpc
	}
	if host == "" {
		return "", fmt.Errorf("region has no known %s endpoint", network)
	}
	return host, nil
}

// Regions returns the IDs of all regions with a known endpoint, sorted.
func Regions() []string {
	ids := make([]string, 0, len(endpoints))
	for id := range endpoints {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// ParseEndpoint turns "host", "host:port" or a URL into the base URL of the API.
// Without a scheme it is https. Plain http is accepted for loopback hosts only,
// because requests carry session tokens. The errors do not repeat the input,
// which may hold a password.
func ParseEndpoint(endpoint string) (*url.URL, error) {
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, errors.New("must be a host, host:port or URL")
	case u.User != nil:
		return nil, errors.New("must not hold a user name or password")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("must not have a path, query or fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, errors.New("must use https; http is accepted for loopback hosts only")
	}
	host := u.Host
	if u.Scheme == "https" {
		// The signature covers the Host header, and gateways see it without the default port.
		host = strings.TrimSuffix(host, ":443")
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(host), Path: "/"}, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
