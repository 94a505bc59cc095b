package poll

import (
	"cmp"
	"fmt"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// errTooManyPlans is the failure of a list of plans that is too long.
var errTooManyPlans = fmt.Errorf("plan list has more than %d plans", maxRows)

// keptPlan returns what is kept of a row: texts no longer than a label, and a
// status that is documented. The API may send others of any length. If the row
// does not say something, it stays as it was known.
func keptPlan(row, known dbsapi.BackupPlan) dbsapi.BackupPlan {
	row.Name = cmp.Or(download.LabelValue(row.Name), known.Name)
	row.DatabaseType = cmp.Or(download.LabelValue(row.DatabaseType), known.DatabaseType)
	row.ResourceGroupID = cmp.Or(download.LabelValue(row.ResourceGroupID), known.ResourceGroupID)
	row.Status = config.ParsePlanStatus(cmp.Or(row.Status, known.Status))
	row.ChargeType = download.LabelValue(row.ChargeType)
	if !gatewayIDPattern.MatchString(row.DownloadGatewayID) {
		row.DownloadGatewayID = ""
	}
	if !row.AutoDownloadKnown {
		row.AutoDownload, row.AutoDownloadKnown = known.AutoDownload, known.AutoDownloadKnown
	}
	return row
}
