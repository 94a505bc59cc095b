package dbsapi

import (
	"errors"
	"time"
)

// answer is the envelope that all DBS operations share. ErrMessage and Message
// are not read: they are free text, and gateways repeat in them what was signed.
type answer struct {
	success flag
	// hasItems: there is a member Items; hasList: it is not null or "".
	hasItems, hasList bool
	// malformed: a member that decides whether the answer is good cannot be
	// read, or comes twice.
	malformed bool
	// read are the deciding members that were read.
	read members

	code       string // of the gateway
	errCode    string // of DBS itself
	requestID  string
	bodyStatus int64

	// The figures below are unknown if the answer lacks them or has something
	// else in their place.
	pageSize      int64
	totalPages    int64
	totalElements int64

	// serverTime is the answer's Date header.
	serverTime time.Time
}

// unknown is a figure that an answer does not have.
const unknown = -1

// errTooManyRows is the cause of an answer that would fill the memory.
var errTooManyRows = errors.New("the answer has more rows than were asked for")

// rows reads the elements of one page: field takes the members of an element,
// next ends it, and check reports whether a good answer makes sense with them.
type rows struct {
	listName string
	field    func(d *decoder, name []byte) (known bool, err error)
	next     func() error
	check    func(answer) error
}

// answer reads an envelope with its rows. The error is [errNotDBS] for
// anything but one JSON object, or [errTooManyRows].
func (d *decoder) answer(r rows) (answer, error) {
	d.start()
	a := answer{pageSize: unknown, totalPages: unknown, totalElements: unknown}
	if d.json.PeekKind() != '{' {
		return answer{}, errNotDBS
	}
	err := d.object(func(name []byte) error { return a.member(d, name, r) })
	switch {
	case errors.Is(err, errTooManyRows):
		return answer{}, errTooManyRows
	case err != nil:
		return answer{}, errNotDBS
	}
	return a, d.end()
}

// members is a set of the members that decide whether an answer is good.
type members uint8

const (
	memberSuccess members = 1 << iota
	memberItems
	memberTotal
	memberStatus
	memberCode
)

// deciding returns the deciding member of a name, none for the name of another.
func deciding(name []byte) members {
	switch string(name) {
	case "Success":
		return memberSuccess
	case "Items":
		return memberItems
	case "TotalElements":
		return memberTotal
	case "HttpStatusCode":
		return memberStatus
	case "Code", "code":
		return memberCode
	}
	return 0
}

func (a *answer) member(d *decoder, name []byte, r rows) (err error) {
	member := deciding(name)
	if a.read&member != 0 { // parsers differ in which of the two counts
		a.malformed = true
		return d.skip()
	}
	a.read |= member
	switch string(name) {
	case "Success":
		a.success, err = d.flag()
	case "Items":
		a.hasItems = true
		a.hasList, err = d.items(r, 0)
	case "TotalElements":
		a.totalElements, err = d.count()
	case "TotalPages":
		a.totalPages, err = d.count()
	case "PageSize":
		a.pageSize, err = d.count()
	case "HttpStatusCode":
		err = a.status(d)
	case "RequestId", "requestId":
		a.requestID, err = d.string()
	case "ErrCode":
		a.errCode, err = d.string()
	case "Code", "code":
		err = a.gatewayCode(d)
	default:
		err = d.skip()
	}
	return err
}

// gatewayCode reads the code of the gateway.
func (a *answer) gatewayCode(d *decoder) error {
	text, readable, err := d.raw()
	if !isNothing(text) {
		a.code = string(text)
	}
	a.malformed = a.malformed || !readable
	return err
}

// status reads the HTTP status in the body.
func (a *answer) status(d *decoder) error {
	n, err := d.integer()
	a.bodyStatus = n.value
	a.malformed = a.malformed || n.malformed || n.value < 0
	return err
}

// count reads a non-negative integer. Anything else is unknown.
func (d *decoder) count() (int64, error) {
	n, err := d.integer()
	if !n.present || n.malformed || n.value < 0 {
		return unknown, err
	}
	return n.value, err
}

// failure returns the error that an answer reports, nil for a good one: HTTP
// 2xx, no status of 300 or more in the body, no code of the gateway that
// contradicts, no deciding member that is malformed, and Success true with the
// rows or a total of zero; or, without Success, both total and list. ErrCode
// alone means nothing, since the documented good answers carry one.
func (a *answer) failure(action string, status int) *Error {
	switch {
	case !isGoodStatus(status):
		return a.reported(action, status)
	case a.bodyStatus >= 300:
		// The operation failed behind a gateway that answered well.
		return a.reported(action, int(min(a.bodyStatus, 999)))
	case a.success == flagFalse, !isGoodCode(a.code):
		return a.reported(action, status)
	case a.malformed:
		return a.invalid(action, status, errNotDBS)
	case a.success == flagTrue && (a.hasItems || a.totalElements == 0),
		a.success == flagAbsent && a.hasList && a.totalElements != unknown:
		return nil
	}
	return a.invalid(action, status, errNotDBS)
}

// reported describes the failure that an answer reports.
func (a *answer) reported(action string, status int) *Error {
	code := plainCode(a.code)
	if isGoodCode(code) {
		code = plainCode(a.errCode)
	}
	return &Error{
		Action:     action,
		HTTPStatus: status,
		Code:       code,
		RequestID:  plainRequestID(a.requestID),
		Reason:     classify(code, status),
	}
}

// invalid describes an answer with status 2xx that is not one of DBS.
func (a *answer) invalid(action string, status int, cause error) *Error {
	return &Error{
		Action: action, HTTPStatus: status, RequestID: plainRequestID(a.requestID),
		Reason: ReasonDecode, cause: cause.Error(),
	}
}

func isGoodStatus(status int) bool { return status >= 200 && status <= 299 }

// isGoodCode reports whether a value of Code accompanies good answers.
func isGoodCode(code string) bool {
	switch code {
	case "", "0", "200", "OK", "Success":
		return true
	}
	return false
}

// unreadable describes an answer that cannot be decoded: by its status, such as
// the HTML page of a gateway, else by the cause.
func unreadable(action string, status int, cause error) *Error {
	if isGoodStatus(status) {
		return new(answer).invalid(action, status, cause)
	}
	return new(answer).reported(action, status)
}
