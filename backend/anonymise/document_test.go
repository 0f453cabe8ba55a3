package anonymise

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/model"
)

func TestDocument(t *testing.T) {
	doc := &model.Document{
		Captures: []model.Capture{{Name: "client", File: "/home/alice/trace.pcap"}},
		Flows: []model.Flow{{ID: 1, Proto: "tcp", App: "ClientHello (mail.corp.example)",
			At: map[string]*model.At{"client": {Tuple: [4]any{"10.1.2.3", "5061", "2001:db8::7", "443"},
				SYN: &model.Handshake{MAC: "00:1c:7f:4a:09:e2"}}},
			Ladder: []model.Event{{Label: "DNS A? intranet"}, {Label: "GET /salaries/bob"}, {Label: "SYN/ACK"}, {Label: "ServerHello (TLS 1.2, ALPN h2 bobs), Certificate (certificate of mail.corp.example, 4989 bytes)"}, {Label: "FTP USER bob"}, {Label: "404 Not Found"}, {Label: "DNS AAAA NOTIFY: 1 answer"}}}},
		Findings: []model.Finding{
			{ID: "closed-by-middlebox", Title: "ended 10.1.2.3:5061 → [2001:db8::7]:443 at 15:51:29 UTC", Detail: "GET /salaries/bob of 10.1.2.3. Then ClientHello (mail.corp.example)", Next: "tcp.options.wscale.shift: 8 → 3, ip.id: 0x1234"},
			{ID: "log-contradiction", Next: "its reason: \"user bob is blocked\"", Evidence: []model.Evidence{{Field: "corr.log.action", Value: "drop"}}}},
		Logs: []model.Log{{File: "/var/log/fw.log", Text: "user=bob src=10.1.2.3", Reason: "user bob is blocked", Fields: map[string]string{"user": "bob"}}},
	}
	if err := Document(doc, Key("secret")); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	out := string(b)
	for _, gone := range []string{"10.1.2.3", "2001:db8", "mail.corp", "intranet", "salaries", "bob", "alice", "4a:09:e2", "/var/log", "AAAA NOTIFY"} {
		if strings.Contains(out, gone) {
			t.Errorf("%q is still there: %s", gone, out)
		}
	}
	for _, stays := range []string{"ClientHello (", "DNS A? ", "GET ", "SYN/ACK", "404 Not Found", "ServerHello (TLS 1.2, ALPN h2 ", "), Certificate (certificate of ", ", 4989 bytes)", "FTP USER ", "00:1c:7f:", "15:51:29 UTC", "tcp.options.wscale.shift: 8", "0x1234", "trace.pcap", "fw.log"} {
		if !strings.Contains(out, stays) {
			t.Errorf("%q is gone: %s", stays, out)
		}
	}
	// The same address and message become the same wherever they stand.
	src := doc.Flows[0].At["client"].Tuple[0].(string)
	if !strings.Contains(doc.Findings[0].Title, src+":5061") || !strings.Contains(doc.Findings[0].Detail, doc.Flows[0].App) {
		t.Errorf("%s, %s: not replaced alike in %+v", src, doc.Flows[0].App, doc.Findings[0])
	}
}
