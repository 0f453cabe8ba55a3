package pipeline

import (
	"os"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/tlskey"
)

// keyLogs reads the key logs that the user gave and those that captures carry.
func keyLogs(o Options, caps []*flow.Capture) (*tlskey.Log, error) {
	l := tlskey.NewLog()
	for _, path := range o.Keylogs {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, failed(1, "%s: %s", path, reason(err))
		}
		before := l.Lines
		if l.Add(b); l.Lines == before {
			return nil, failed(1, "%s: holds no TLS secret; it must be a key log as SSLKEYLOGFILE makes it", path)
		}
	}
	for _, c := range caps {
		for _, s := range c.Secrets {
			l.Add(s)
		}
	}
	return l, nil
}
