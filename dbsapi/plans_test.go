package dbsapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"aliyun_dbs_exporter/dbsapi"
)

// Whether a plan downloads by itself is true or false, as a boolean or a text;
// any other value is not known.
func TestAutoDownload(t *testing.T) {
	for value, want := range map[string]struct{ on, known bool }{
		`true`: {true, true}, `"true"`: {true, true}, `"True"`: {true, true},
		`false`: {false, true}, `"FALSE"`: {false, true},
		`null`: {}, `""`: {}, `"无"`: {}, `1`: {}, `0`: {}, `"1"`: {}, `"0"`: {}, `"t"`: {}, `"f"`: {}, `{}`: {}, `[true]`: {},
	} {
		body := `{"Success":true,"TotalElements":1,"Items":[{"BackupPlanId":"dbsa","OpenBackupSetAutoDownload":` + value + `}]}`
		c := newClient(t, dbsapi.Options{Endpoint: "dbs.example", HTTPClient: &http.Client{Transport: inMemory{
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }),
		}}})
		for page, err := range c.BackupPlans(t.Context(), dbsapi.PlanQuery{}, dbsapi.Pace{OneAttempt: true}) {
			if err != nil {
				t.Fatalf("%s: %v", value, err)
			}
			if p := page.Items[0]; p.AutoDownload != want.on || p.AutoDownloadKnown != want.known {
				t.Errorf("%s: on %t, known %t", value, p.AutoDownload, p.AutoDownloadKnown)
			}
		}
	}
}
