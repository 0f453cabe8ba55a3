package tlskey

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"strings"
)

// Log holds secrets by the client's random.
type Log struct {
	by map[string]map[string][]byte // random → label → secret
	// Lines counts entries that were read, Bad lines that could not be.
	Lines, Bad int
}

// NewLog returns an empty log.
func NewLog() *Log { return &Log{by: map[string]map[string][]byte{}} }

// Add reads key log text.
func (l *Log) Add(text []byte) {
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, 1<<16)
	for s.Scan() {
		w := strings.Fields(s.Text())
		if len(w) == 0 || strings.HasPrefix(w[0], "#") {
			continue
		}
		if len(w) != 3 {
			l.Bad++
			continue
		}
		random, err := hex.DecodeString(w[1])
		secret, err2 := hex.DecodeString(w[2])
		if err != nil || err2 != nil || len(random) != 32 {
			l.Bad++
			continue
		}
		m := l.by[string(random)]
		if m == nil {
			m = map[string][]byte{}
			l.by[string(random)] = m
		}
		m[w[0]] = secret
		l.Lines++
	}
}

// Empty reports whether the log holds no secret.
func (l *Log) Empty() bool { return l == nil || len(l.by) == 0 }

// secret is a connection's secret of a label; nil for none.
func (l *Log) secret(clientRandom []byte, label string) []byte {
	if l == nil {
		return nil
	}
	return l.by[string(clientRandom)][label]
}
