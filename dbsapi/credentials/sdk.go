package credentials

import (
	"errors"
	"reflect"
	"time"

	"github.com/aliyun/credentials-go/credentials/providers"

	_ "aliyun_dbs_exporter/dbsapi/internal/quietsdk" // before credentials-go is initialized
)

// errIncomplete stands for the panics of credentials-go: it dereferences members that an answer lacks.
var errIncomplete = errors.New("the answer lacks a member")

// fromSDK asks a provider of credentials-go once. The provider must be new: it caches, it is not safe for concurrent
// use, and after a failure it can be in a state from which it does not recover.
func fromSDK(p providers.CredentialsProvider) (cred Credentials, err error) {
	useProxy()
	defer func() {
		if recover() != nil {
			cred, err = Credentials{}, errIncomplete
		}
	}()
	c, err := p.GetCredentials()
	if err != nil {
		return Credentials{}, err
	}
	if c == nil || c.AccessKeyId == "" || c.AccessKeySecret == "" {
		return Credentials{}, errIncomplete
	}
	return Credentials{
		AccessKeyID:     c.AccessKeyId,
		AccessKeySecret: c.AccessKeySecret,
		SecurityToken:   c.SecurityToken,
		Expiration:      sdkExpiration(reflect.ValueOf(p)),
	}, nil
}

// sdkExpiration reads when a provider's credentials end from its unexported field, because credentials-go does not
// say it. Profile providers hold the one that has the field. It returns zero where there is none; a test makes sure
// that every provider in use has it.
func sdkExpiration(p reflect.Value) time.Time {
	for p.Kind() == reflect.Pointer || p.Kind() == reflect.Interface {
		p = p.Elem()
	}
	if p.Kind() != reflect.Struct {
		return time.Time{}
	}
	if inner := p.FieldByName("innerProvider"); inner.IsValid() {
		return sdkExpiration(inner)
	}
	if at := p.FieldByName("expirationTimestamp"); at.IsValid() && at.CanInt() && at.Int() > 0 {
		return time.Unix(at.Int(), 0)
	}
	return time.Time{}
}
