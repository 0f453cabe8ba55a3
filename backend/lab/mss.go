package lab

import "fmt"

var mssTransform = Transform{"mss", "BYTES@A-B", "a router between two points lowers the MSS option", clampMSS}

func clampMSS(c *Case, a args) error {
	n, err := a.integer(1300)
	if err != nil {
		return err
	}
	q, err := a.pair()
	if err != nil {
		return err
	}
	lowered := 0
	for _, dir := range []byte{'f', 'r'} {
		for p, set := range c.crossed(q, dir) {
			for f := range set {
				h := read(p.Link, f)
				if !h.tcp() || h.flags()&flagSYN == 0 {
					continue
				}
				if o, ok := h.option(optMSS); ok && h.mss() > n {
					h.set16(o.off+2, uint16(n))
					lowered++
				}
			}
		}
	}
	if lowered == 0 {
		return fmt.Errorf("no SYN offers more than %d", n)
	}
	b := box("mss-clamp")
	b["mss"] = fmt.Sprintf("clamped to %d", n)
	q.Middleboxes = append(q.Middleboxes, b)
	return nil
}

// box describes a middlebox that keeps everything; the caller says what it doesn't.
func box(kind string) map[string]any {
	return map[string]any{
		"kind": kind, "at": "lab", "terminates_tcp": false, "nat": nil, "mss": nil, "window_scale": "kept", "sack_permitted": "kept",
		"timestamps": "kept", "ecn": "kept", "ip_id": "kept", "ttl": "decremented", "isn": "kept",
	}
}
