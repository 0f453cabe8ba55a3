package lab

import (
	"maps"
)

// references finds frames by the name and number that they had when the case was loaded, for those parts of the truth
// that are kept as they are.
type references map[string]reference

type reference struct {
	file   string
	frames map[int]*Frame
}

func (c *Case) references() references {
	r := references{}
	for _, p := range c.Captures {
		if p.loaded == "" {
			continue
		}
		m := map[int]*Frame{}
		for _, f := range p.Frames {
			if f.recorded > 0 {
				m[f.recorded] = f
			}
		}
		r[p.loaded] = reference{p.File, m}
	}
	return r
}

// now gives a frame's number today; false if it is gone.
func (r references) now(file string, n any) (int, bool) {
	f := r[file].frames[int(integer(n))]
	if f == nil {
		return 0, false
	}
	return f.number, true
}

// apply renumbers what doc says beside captures and pairs. A statement about a frame that is gone goes too.
func (r references) apply(doc map[string]any) {
	for _, v := range list(doc["flows"]) {
		f := object(v)
		if close := object(f["first_close"]); close != nil {
			file := text(close["seen_first_at"])
			if n, ok := r.now(file, close["frame"]); ok {
				close = maps.Clone(close)
				close["seen_first_at"], close["frame"] = r[file].file, n
				f["first_close"] = close
			} else {
				delete(f, "first_close")
			}
		}
		at := object(f["at"])
		for _, way := range []string{"path", "path_reverse"} {
			if f[way] != nil {
				f[way] = r.path(list(f[way]), at)
			}
			if variants := list(f[way+"_variants"]); variants != nil {
				var out []any
				for _, x := range variants {
					out = append(out, r.path(list(x), at))
				}
				f[way+"_variants"] = out
			}
		}
	}
	r.requests(doc)
	r.logs(doc)
}

// path has the names that captures have today, without those that hold nothing of the conversation any more.
func (r references) path(l []any, at map[string]any) []any {
	out := []any{}
	for _, name := range l {
		if file := r[text(name)].file; at[file] != nil {
			out = append(out, file)
		}
	}
	return out
}

// requests: the ends a and b are those of the first pair.
func (r references) requests(doc map[string]any) {
	captures := map[string]string{} // name today → name when loaded
	for loaded, x := range r {
		captures[x.file] = loaded
	}
	pairs := list(doc["pairs"])
	if len(pairs) == 0 || doc["requests"] == nil {
		return
	}
	first := object(pairs[0])
	var out []any
	for _, v := range objects(doc["requests"]) {
		v = maps.Clone(v)
		for _, end := range []string{"a", "b"} {
			x := maps.Clone(object(v[end]))
			for _, what := range []string{"request", "answer"} {
				var now []any
				for _, n := range list(x[what]) {
					if m, ok := r.now(captures[text(first[end])], n); ok {
						now = append(now, m)
					}
				}
				if x != nil && x[what] != nil {
					x[what] = now
				}
			}
			if x != nil {
				v[end] = x
			}
		}
		out = append(out, v)
	}
	doc["requests"] = out
}

func (r references) logs(doc map[string]any) {
	logs := maps.Clone(object(doc["firewall_logs"]))
	for name, v := range logs {
		line := maps.Clone(object(v))
		ref := list(line["refers_to_frame"])
		if len(ref) != 2 {
			continue
		}
		file := text(ref[0])
		delete(line, "refers_to_frame")
		if n, ok := r.now(file, ref[1]); ok {
			line["refers_to_frame"] = []any{r[file].file, n}
		}
		logs[name] = line
	}
	if logs != nil {
		doc["firewall_logs"] = logs
	}
}

// bindings lists the tuples of a conversation behind a NAT that lost its mapping, in order.
func (c *Case) bindings(frames map[*Capture][]*Frame) map[string]any {
	out := map[string]any{}
	for _, p := range c.Captures {
		var order []tuple
		by := map[tuple][]*Frame{}
		for _, f := range frames[p] {
			t := read(p.Link, f).tuple
			if f.Dir != f.Flow.dirAt(p) {
				t = t.reverse()
			}
			if by[t] == nil {
				order = append(order, t)
			}
			by[t] = append(by[t], f)
		}
		if len(order) < 2 {
			continue
		}
		var entries []any
		for _, t := range order {
			l := by[t]
			entries = append(entries, map[string]any{"tuple": []any{t.src.String(), t.sport, t.dst.String(), t.dport},
				"frames": len(l), "first_frame": l[0].number, "last_frame": l[len(l)-1].number})
		}
		out[p.File] = entries
	}
	return out
}
