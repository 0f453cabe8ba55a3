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
	to  *bufio.Writer
	buf bytes.Buffer
	err error
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
	e := json.NewEncoder(&w.buf)
	e.SetIndent(prefix, " ")
	if w.err = e.Encode(v.Addr().Interface()); w.err == nil {
		_, w.err = w.to.Write(bytes.TrimSuffix(w.buf.Bytes(), []byte("\n")))
	}
}
