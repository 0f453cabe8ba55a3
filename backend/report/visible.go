package report

import (
	"bufio"
	"io"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// visibleWriter writes what can steer a terminal or turn text round (control characters, Unicode's format characters) as
// escapes that can be read. Markup is escaped where it is made; this is about what is no markup and still not text.
// In JSON strings the escapes mean the characters again.
type visibleWriter struct {
	w   *bufio.Writer
	cut []byte // the beginning of a character whose end comes with the next call
}

func newVisibleWriter(w io.Writer) *visibleWriter { return &visibleWriter{w: bufio.NewWriter(w)} }

func (v *visibleWriter) Write(p []byte) (int, error) {
	n := len(p)
	if len(v.cut) > 0 {
		p = append(v.cut, p...)
		v.cut = nil
	}
	for len(p) > 0 {
		plain := 0
		for plain < len(p) && (p[plain] >= ' ' && p[plain] < 0x7f || p[plain] == '\n' || p[plain] == '\t') {
			plain++
		}
		if plain > 0 {
			_, _ = v.w.Write(p[:plain]) // as below
			p = p[plain:]
			continue
		}
		if p[0] < utf8.RuneSelf {
			v.rune(rune(p[0]))
			p = p[1:]
			continue
		}
		if !utf8.FullRune(p) {
			v.cut = append(v.cut, p...)
			return n, nil
		}
		r, size := utf8.DecodeRune(p)
		v.rune(r)
		p = p[size:]
	}
	return n, nil // bufio keeps an error of w for Flush
}

func (v *visibleWriter) rune(r rune) {
	if r != '\n' && r != '\t' && (unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r)) {
		q := strconv.QuoteRuneToASCII(r)
		v.w.WriteString(q[1 : len(q)-1])
		return
	}
	v.w.WriteRune(r)
}

// Flush writes what is left.
func (v *visibleWriter) Flush() error {
	for range v.cut {
		v.w.WriteRune(utf8.RuneError)
	}
	v.cut = nil
	return v.w.Flush()
}
