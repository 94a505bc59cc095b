package download

import (
	"errors"

	"aliyun_dbs_exporter/dbsapi"
)

// ask sends the request for a page. The usual size may be what the server makes of
// the largest one. A refusal may mean that the list has become too short for this
// page, which the pages of a full listing tell.
func (v *visit) ask(num, size int) (dbsapi.Page[dbsapi.DownloadTask], error) {
	if err := v.spend(); err != nil {
		return dbsapi.Page[dbsapi.DownloadTask]{}, err
	}
	if size == v.size {
		size = dbsapi.PageSize
	}
	answer, err := v.source.Page(num, size)
	if refused, ok := errors.AsType[*dbsapi.Error](err); ok {
		switch refused.Reason {
		case dbsapi.ReasonInvalidRequest, dbsapi.ReasonNotFound, dbsapi.ReasonDecode, dbsapi.ReasonOther:
			err = errReadAll
		}
	}
	return answer, err
}

// spend counts a request. A visit that has sent as many as a full listing, and as
// a few deleted tasks take, gives up.
func (v *visit) spend() error {
	if v.requests >= max(v.most, maxHalvings) {
		return errReadAll
	}
	v.requests++
	return nil
}

// lookUp asks for a known task by its ID. An API that lists tasks and fails to
// look one up is not asked again: a look-up that hangs would take the time of
// every poll.
func (v *visit) lookUp(place int32) (found bool, err error) {
	if err := v.spend(); err != nil {
		return false, err
	}
	task, found, err := v.source.Task(string(v.known.id(&v.known.records[place])))
	if failed, ok := errors.AsType[*dbsapi.Error](err); ok {
		switch failed.Reason {
		case dbsapi.ReasonCredentials, dbsapi.ReasonAuth: // no request would have succeeded
		default:
			v.noLookups = true
			return false, errReadAll
		}
	}
	if found && err == nil {
		v.take(&task, -1)
	}
	return found, err
}
