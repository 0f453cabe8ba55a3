package model

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
)

// Write writes the document as encoding/json's Encoder with an indent of one space does, list by list and element by element: an
// encoder holds all that it writes, which is more than the packets' facts take where there are many conversations.
func (d *Document) Write(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	o := &writer{to: b}
	v := reflect.ValueOf(d).Elem()
	sep := "{\n "
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		f := v.Field(i)
		if options == "omitempty" && f.Len() == 0 {
			continue
		}
		o.text(sep + `"` + name + `": `)
		sep = ",\n "
		if f.Kind() != reflect.Slice || f.Len() == 0 {
			o.value(f, " ")
			continue
		}
		for k := range f.Len() {
			if k == 0 {
				o.text("[\n  ")
			} else {
				o.text(",\n  ")
			}
			o.value(f.Index(k), "  ")
		}
		o.text("\n ]")
	}
	o.text("\n}\n")
	if o.err != nil {
		return o.err
	}
	return b.Flush()
}

// writer keeps the first error.
type writer struct {
	to    *bufio.Writer
	buf   bytes.Buffer
	lines []byte
	err   error
}

func (w *writer) text(s string) {
	if w.err == nil {
		_, w.err = w.to.WriteString(s)
	}
}

// value writes one value whose lines but the first begin with prefix.
func (w *writer) value(v reflect.Value, prefix string) {
	if w.err != nil {
		return
	}
	w.buf.Reset()
	if w.err = json.NewEncoder(&w.buf).Encode(v.Addr().Interface()); w.err == nil {
		w.lines = indented(w.lines[:0], bytes.TrimSuffix(w.buf.Bytes(), []byte("\n")), prefix)
		_, w.err = w.to.Write(w.lines)
	}
}

// indented appends compact JSON in lines, with one more space for each level, and prefix in front of all but the first. The
// encoder's own way checks each byte anew and takes longer than the encoding.
func indented(to, from []byte, prefix string) []byte {
	line := append([]byte{'\n'}, prefix...)
	for i := 0; i < len(from); i++ {
		c := from[i]
		switch c {
		case '"':
			end := i + 1
			for from[end] != '"' {
				if from[end] == '\\' {
					end++
				}
				end++
			}
			to = append(to, from[i:end+1]...)
			i = end
		case '{', '[':
			if to = append(to, c); from[i+1] == c+2 {
				i++
				to = append(to, c+2)
				break
			}
			line = append(line, ' ')
			to = append(to, line...)
		case '}', ']':
			line = line[:len(line)-1]
			to = append(append(to, line...), c)
		case ',':
			to = append(append(to, c), line...)
		case ':':
			to = append(to, c, ' ')
		default:
			to = append(to, c)
		}
	}
	return to
}
