package poll

import (
	"cmp"
	"fmt"
	"strings"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/collector/download"
	"aliyun_dbs_exporter/dbsapi"
)

// errTooManyPlans is the failure of a list of plans that is too long.
var errTooManyPlans = fmt.Errorf("plan list has more than %d plans", maxRows)

// maxPlanName bounds the name of a plan in bytes. The filters match the whole
// name: DBS allows 128 characters, which take at most 512 bytes.
const maxPlanName = 512

// keptPlan returns what is kept of a row: a name that filters can match, other
// texts no longer than a label, and a status that is documented. The API may send others of any length. If the row
// does not say something, it stays as it was known.
func keptPlan(row, known dbsapi.BackupPlan) dbsapi.BackupPlan {
	row.Name = cmp.Or(keptName(row.Name), known.Name)
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

// keptName returns a name without the bytes of a character that was cut. It holds
// on to no memory of a longer one.
func keptName(name string) string {
	if len(name) > maxPlanName {
		name = strings.Clone(name[:maxPlanName])
	}
	return strings.ToValidUTF8(name, "")
}
