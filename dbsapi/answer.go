package dbsapi

import (
	"bytes"
	"net/http"
)

// answer is the envelope that all DBS operations share. ErrMessage is left out on purpose: the documented samples
// carry one in good answers, and it is free text.
type answer struct {
	success      bool
	successKnown bool
	isDBS        bool // has a member that only DBS answers have

	code       string // of the gateway
	errCode    string // of DBS itself
	message    string // of the gateway
	requestID  string
	bodyStatus int64

	// The figures below are unknown where the answer lacks them or has something else in their place.
	pageSize      int64
	totalPages    int64
	totalElements int64
}

// unknown is a figure that an answer does not have.
const unknown = -1

// rows reads the elements of one page: field takes the members of an element, next ends it, and check says whether a
// good answer makes sense with them.
type rows struct {
	listName string
	field    func(d *decoder, name string) (known bool, err error)
	next     func()
	check    func(answer) error
}

// decodeAnswer reads an envelope with its rows. The error is [errNotDBS] for anything but one JSON object.
func decodeAnswer(body *bytes.Buffer, r rows) (answer, error) {
	d := newDecoder(body)
	a := answer{pageSize: unknown, totalPages: unknown, totalElements: unknown}
	if d.json.PeekKind() != '{' {
		return answer{}, errNotDBS
	}
	if err := d.object(func(name string) error { return a.member(d, name, r) }); err != nil {
		return answer{}, errNotDBS
	}
	return a, d.end()
}

func (a *answer) member(d *decoder, name string, r rows) (err error) {
	switch name {
	case "Success":
		a.success, a.successKnown, err = d.boolean()
	case "Items":
		a.isDBS = true
		field := func(name string) (bool, error) { return r.field(d, name) }
		err = d.items(r.listName, field, r.next, 0)
	case "TotalElements":
		a.isDBS = true
		a.totalElements, err = d.count()
	case "TotalPages":
		a.totalPages, err = d.count()
	case "PageSize":
		a.pageSize, err = d.count()
	case "HttpStatusCode":
		a.bodyStatus, err = d.count()
	case "RequestId", "requestId":
		a.requestID, err = d.string()
	case "ErrCode":
		a.errCode, err = d.string()
	case "Code", "code":
		a.code, err = d.string()
	case "Message", "message":
		a.message, err = d.string()
	default:
		err = d.skip()
	}
	return err
}

// count reads a number that cannot be negative; what is no such number is unknown.
func (d *decoder) count() (int64, error) {
	n, err := d.integer()
	if !n.present || n.malformed || n.value < 0 {
		return unknown, err
	}
	return n.value, err
}

// failure returns the error that an answer reports, nil for a good one. The HTTP status and Success decide; ErrCode
// alone means nothing, since the documented good answers carry one. An answer without Success is good only if the
// gateway reports no code and it is recognizably from DBS.
func (a *answer) failure(action string, status int) *Error {
	switch {
	case status >= 300:
	case a.successKnown && a.success:
		return nil
	case a.successKnown:
		// The operation failed behind a gateway that answered well: the body has the status.
		if a.bodyStatus >= 300 {
			status = int(a.bodyStatus)
		}
	case !isGoodCode(a.code):
	case a.isDBS:
		return nil
	default:
		return &Error{Action: action, HTTPStatus: status, RequestID: plainWord(a.requestID), reason: ReasonDecode, cause: errNotDBS.Error()}
	}
	code := plainWord(a.code)
	if isGoodCode(code) {
		code = plainWord(a.errCode)
	}
	return &Error{
		Action:     action,
		HTTPStatus: status,
		Code:       code,
		Message:    cutMessage(a.message),
		RequestID:  plainWord(a.requestID),
		reason:     classify(code, status),
	}
}

// isGoodCode tells the values of Code that accompany good answers.
func isGoodCode(code string) bool {
	switch code {
	case "", "0", "200", "OK", "Success":
		return true
	}
	return false
}

// statusOnly describes an answer that is not readable by its status: an HTML page of a gateway, or a redirect.
func statusOnly(action string, status int) *Error {
	e := &Error{Action: action, HTTPStatus: status, reason: ReasonDecode, cause: errNotDBS.Error()}
	if status != http.StatusOK {
		e.reason, e.cause = classify("", status), ""
	}
	return e
}
