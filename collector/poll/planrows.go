package poll

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// Failures of a list of plans that lacks some.
var (
	errPlanListIncomplete = errors.New("plan list is incomplete")
	errTooManyPlans       = fmt.Errorf("plan list has more than %d plans", maxRows)
)

// planRows judges the rows of one list of plans.
type planRows struct {
	// known are the plans that earlier lists have found.
	known map[string]dbsapi.BackupPlan
	rows  map[string]dbsapi.BackupPlan
	// nameless counts rows without an ID: each is a plan that cannot be told.
	// unusable counts rows with an ID that cannot be asked for or shown, vague
	// counts those without a status.
	nameless, unusable, vague int
}

// reset begins again with the first page.
func (r *planRows) reset() {
	clear(r.rows)
	r.nameless, r.unusable, r.vague = 0, 0, 0
}

// add takes a row. The error is that there are too many.
func (r *planRows) add(row dbsapi.BackupPlan) error {
	switch _, again := r.rows[row.ID]; {
	case row.ID == "":
		r.nameless++
	case !config.IsPlanID(row.ID):
		r.unusable++
	case !again && len(r.rows) == maxRows:
		return errTooManyPlans
	default:
		if row.Status == "" {
			r.vague++
		}
		r.rows[row.ID] = kept(row, r.known[row.ID])
	}
	return nil
}

// kept returns what is kept of a row: texts no longer than a label, and a status
// that is documented. The API may send others of any length. If the row does not
// say something, it stays as it was known.
func kept(row, known dbsapi.BackupPlan) dbsapi.BackupPlan {
	row.Name = cmp.Or(download.LabelValue(row.Name), known.Name)
	row.DatabaseType = cmp.Or(download.LabelValue(row.DatabaseType), known.DatabaseType)
	row.Status = config.ParsePlanStatus(cmp.Or(row.Status, known.Status))
	if !row.AutoDownloadKnown {
		row.AutoDownload, row.AutoDownloadKnown = known.AutoDownload, known.AutoDownloadKnown
	}
	return row
}

// check judges the whole list by the API's total, which is negative if there is
// none.
func (r *planRows) check(total int64) error {
	found := len(r.rows)
	switch {
	case r.nameless > 0:
		return fmt.Errorf("%w: %d of its rows have no ID", errPlanListIncomplete, r.nameless)
	case found == 0 && r.unusable > 0:
		return fmt.Errorf("%w: none of its %d plans has a usable ID", errPlanListIncomplete, r.unusable)
	case int64(found+r.unusable) < total:
		return r.incomplete(total)
	}
	return nil
}

// incomplete is the failure of a list that lacks plans of the API's total.
func (r *planRows) incomplete(total int64) error {
	if total < 0 {
		return fmt.Errorf("%w: it has %d plans, of which the API gives no total", errPlanListIncomplete, len(r.rows))
	}
	return fmt.Errorf("%w: it has %d of %d plans", errPlanListIncomplete, len(r.rows), total)
}

// log names the rows that are of little use.
func (r *planRows) log(logger log.Logger) {
	if r.unusable > 0 {
		level.Warn(logger).Log("msg", "Plans whose ID is not usable are not polled", "plans", r.unusable)
	}
	if r.vague > 0 {
		level.Warn(logger).Log("msg", "Plans are listed without a status, the last known one stays", "plans", r.vague)
	}
}
