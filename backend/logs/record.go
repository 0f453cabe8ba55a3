package logs

import (
	"net/netip"
	"time"
)

// Record is one line of a log.
type Record struct {
	File   string
	Line   int
	Format string
	Time   time.Time // zero: none given
	Zoned  bool      // the line says its zone, or counts from 1970
	Proto  string    // lower case, "" unknown
	From   netip.AddrPort
	To     netip.AddrPort
	// Translated ends, invalid where the line names none.
	XFrom, XTo netip.AddrPort
	Action     string // lower case: accept, drop, deny …
	Reason     string
	Text       string
}

// Dropped reports whether an action says that traffic was not let through.
func Dropped(action string) bool {
	switch action {
	case "drop", "dropped", "deny", "denied", "reject", "rejected", "block", "blocked", "discard", "reset", "prevent", "reset-both", "reset-client", "reset-server", "drop-icmp":
		return true
	}
	return false
}

// Accepted reports whether an action says that traffic was let through.
func Accepted(action string) bool {
	switch action {
	case "accept", "accepted", "allow", "allowed", "pass", "permit", "permitted", "built", "close", "new", "encrypt", "decrypt":
		return true
	}
	return false
}

// names maps the words that logs use for a field to the field. Where two stand for one, the first in a line that holds
// something counts.
var names = map[string]string{
	"src": "src", "srcip": "src", "src_ip": "src", "source": "src", "source_ip": "src", "sourceip": "src", "source address": "src", "id.orig_h": "src", "srcaddr": "src", "client_ip": "src", "source.ip": "src",
	"dst": "dst", "dstip": "dst", "dst_ip": "dst", "dest_ip": "dst", "destination": "dst", "destination_ip": "dst", "destination address": "dst", "id.resp_h": "dst", "dstaddr": "dst", "destination.ip": "dst",
	"s_port": "sport", "spt": "sport", "sport": "sport", "srcport": "sport", "src_port": "sport", "source port": "sport", "source_port": "sport", "id.orig_p": "sport", "source.port": "sport",
	"d_port": "dport", "service": "dport", "dpt": "dport", "dport": "dport", "dstport": "dport", "dst_port": "dport", "dest_port": "dport", "destination port": "dport", "destination_port": "dport", "id.resp_p": "dport", "destination.port": "dport",
	"proto": "proto", "protocol": "proto", "ip protocol": "proto", "transport": "proto",
	"action": "action", "act": "action", "verdict": "action", "disposition": "action", "conn_state": "action", "event.action": "action",
	"reason": "reason", "voip_reason_info": "reason", "drop_reason": "reason", "session end reason": "reason", "msg": "reason", "message_info": "reason", "alert.signature": "reason", "policy_reason": "reason",
	"xlatesrc": "xsrc", "xlatesport": "xsport", "xlatedst": "xdst", "xlatedport": "xdport", "transip": "xsrc", "transport_port": "xsport", "tranip": "xdst", "tranport": "xdport",
	"nat source ip": "xsrc", "nat source port": "xsport", "nat destination ip": "xdst", "nat destination port": "xdport",
	"time": "time", "timestamp": "time", "ts": "time", "eventtime": "time", "@timestamp": "time", "receive time": "time", "start": "time", "date": "date",
}

// fields is a line taken apart.
type fields map[string]string

func (f fields) set(name, value string) {
	if k, ok := names[lower(name)]; ok && value != "" && value != "-" {
		if f[k] == "" {
			f[k] = value
		}
	}
}
