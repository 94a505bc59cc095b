package poll

import (
	"errors"
	"fmt"

	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// newFailure describes an error of a poll or a list; nil stays nil.
func newFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	f := &Failure{Reason: dbsapi.ReasonOther, Text: err.Error()}
	switch apiErr, ok := errors.AsType[*dbsapi.Error](err); {
	case ok:
		f.Reason = apiErr.Reason
		f.Permission = apiErr.Permission()
		if apiErr.BadClock() {
			f.Advice = clockAdvice
		}
	case errors.Is(err, download.ErrNoRows), errors.Is(err, errListIncomplete):
		f.Reason = dbsapi.ReasonDecode
	case errors.Is(err, errTooManyPlans):
		f.Advice = tooManyPlansAdvice
	case errors.Is(err, errTooManyGateways):
		f.Advice = tooManyGatewaysAdvice
	}
	switch {
	case f.Permission != "":
		f.Advice = "Grant the RAM action " + f.Permission + " on resource * to the identity in use."
	case f.Advice == "":
		f.Advice = advice[f.Reason]
	}
	return f
}

// timedOut reports whether the poll's time was not enough.
func (f *Failure) timedOut() bool { return f != nil && f.Reason == dbsapi.ReasonTimeout }

const clockAdvice = "Set this machine's clock: the API rejects requests that are more than 15 minutes off."

var tooManyPlansAdvice = fmt.Sprintf(
	"Configure the plans under plans instead of discovery, which reads at most %d plans of an account in a region.", maxRows)

var tooManyGatewaysAdvice = fmt.Sprintf(
	"Turn gateways off: at most %d gateways of an account in a region can be shown.", maxRows)

// advice says in a sentence what an operator can do about a failure.
var advice = map[dbsapi.Reason]string{
	dbsapi.ReasonCredentials:    "Check the credentials block and the source that it names.",
	dbsapi.ReasonAuth:           "Check that the access key is active, and that its secret or session token belongs to it.",
	dbsapi.ReasonForbidden:      "Check the proxy or gateway on the way to the endpoint: the refusal has no error code of the API.",
	dbsapi.ReasonThrottled:      "Lower requests_per_second or raise poll_interval: the account shares one request quota.",
	dbsapi.ReasonNotFound:       "Check that the backup plan still exists, and that it belongs to this account and region.",
	dbsapi.ReasonInvalidRequest: "Check region_id and endpoint: the host answered as if it did not know the request.",
	dbsapi.ReasonServer:         "No action needed: DBS returned a server error. The next poll retries.",
	dbsapi.ReasonTimeout:        "Check the network path to the endpoint. If responses are just slow, raise poll_timeout above twice their time (the interval of the list, for one of plans or gateways).",
	dbsapi.ReasonNetwork:        "Check name resolution, routes, firewall and proxy between here and the endpoint.",
	dbsapi.ReasonDecode:         "Check that the endpoint is the DBS API and that no proxy or portal answers in its place.",
	dbsapi.ReasonOther:          "Check the endpoint: its answer was neither data nor an error of the API.",
}
