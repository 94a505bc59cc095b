package dbssim

import "time"

// The gateways of the demo. One is online, and one of those in Shanghai goes offline in each half hour.
const (
	demoGateway        = 160813
	demoGatewayOutages = 160815
)

// demoOutages are long enough for the alert, which fires after ten minutes.
func demoOutages(now time.Time) Outages {
	return Outages{Start: now.Add(2 * time.Minute), Every: 30 * time.Minute, For: 14 * time.Minute}
}

// withGateways gives the demo's account its gateways, and its plans what the list of plans says of them.
func withGateways(now time.Time, a Account) Account {
	const day = 24 * time.Hour
	online := Outages{Start: now.Add(365 * day), Every: day} // none in a year
	a.Gateways = []Gateway{
		{ID: demoGateway, Name: "idc-hangzhou", Region: "cn-hangzhou", Outages: online},
		{ID: 160814, Name: "idc-shanghai-1", Region: "cn-shanghai", Outages: online},
		{ID: demoGatewayOutages, Name: "idc-shanghai-2", Region: "cn-shanghai", Outages: demoOutages(now)},
		{ID: 160816, Name: "idc-shanghai-old", Region: "cn-shanghai", Status: "STOPPED", Heartbeat: now.Add(-40 * day)},
	}
	for i := range a.Plans {
		p := &a.Plans[i]
		p.ResourceGroupID = "rg-demo"
		switch {
		case p.ID == "dbsdemobilling1":
			p.DownloadGatewayID = demoGatewayOutages
		case p.ID == "dbsdemousers001":
			p.Expires = now.Add(5 * day)
		case p.Region == "cn-hangzhou" && p.AutoDownload:
			p.DownloadGatewayID = demoGateway
		case p.AutoDownload:
			p.DownloadGatewayID = 160814
		}
	}
	return a
}
