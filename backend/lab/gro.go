package lab

import "fmt"

var groTransform = Transform{"gro", "@CAPTURE", "the recording host's card joins segments (GRO) and splits them late (TSO); at an end of the path", eachCapture(joinSegments)}

func joinSegments(c *Case, p *Capture, a args) error {
	if err := c.line(); err != nil {
		return err
	}
	first, last := p == c.Captures[0], p == c.Captures[len(c.Captures)-1]
	if !first && !last {
		return fmt.Errorf("%s is no end of the path", p.File)
	}
	joined := 0
	for _, run := range p.runs(c) {
		for len(run) > 1 {
			n := 2 + a.IntN(min(len(run), 24)-1)
			if n > len(run) {
				n = len(run)
			}
			out := run[0].Dir == 'f' // leaves the host here: recorded before it is split
			if !first {
				out = !out
			}
			c.replace(p, run[:n], []*Frame{merge(p, run[:n], out)})
			joined++
			run = run[n:]
		}
	}
	if joined == 0 {
		return fmt.Errorf("%s: no segments to join", p.File)
	}
	for _, q := range c.neighbours() {
		if q.side(p) >= 0 {
			q.Middleboxes = append(q.Middleboxes, box("segmentation-offload"))
		}
	}
	return nil
}

// runs finds segments that directly follow each other in stream and file.
func (p *Capture) runs(c *Case) [][]*Frame {
	const gap = 1_000_000 // ns between segments that a card still joins
	busy := p.copied()
	for _, q := range c.Pairs {
		if s := q.side(p); s >= 0 {
			for _, l := range q.Dups {
				busy[l[s]] = true
			}
		}
	}
	var out [][]*Frame
	open := map[*Flow][]*Frame{}
	flush := func(f *Flow) {
		if len(open[f]) > 1 {
			out = append(out, open[f])
		}
		delete(open, f)
	}
	for _, f := range p.Frames {
		if f.Flow == nil || f.Flow.Proto != "tcp" {
			continue
		}
		h := read(p.Link, f)
		run := open[f.Flow]
		if len(run) > 0 {
			prev := run[len(run)-1]
			if prev.Dir != f.Dir || busy[f] || f.True-prev.True > gap || !follows(read(p.Link, prev), h) || (len(run)+1)*h.payloadLen() > 60_000 {
				flush(f.Flow)
			}
		}
		if !busy[f] && h.tcp() && h.flags()&^flagPSH == flagACK && h.payloadLen() > 0 && h.whole() && len(h.ips) == 1 {
			open[f.Flow] = append(open[f.Flow], f)
		} else {
			flush(f.Flow)
		}
	}
	for _, f := range c.Flows {
		flush(f)
	}
	return out
}

// follows: the same but for place in the stream, and PSH ends a run.
func follows(x, y *header) bool {
	if !x.tcp() || !y.tcp() || x.flags()&flagPSH != 0 || y.flags()&^flagPSH != flagACK {
		return false
	}
	if y.seq() != x.seq()+uint32(x.payloadLen()) || x.ack() != y.ack() || x.window() != y.window() || x.payload-x.l4 != y.payload-y.l4 {
		return false
	}
	a, _ := x.ipID()
	if b, ok := y.ipID(); ok && b != a+1 && b != a { // Linux, inet_gro_receive: IDs count, or stay the same
		return false
	}
	return string(x.data[x.l4+20:x.payload]) == string(y.data[y.l4+20:y.payload]) // options, timestamps too
}

func merge(p *Capture, run []*Frame, out bool) *Frame {
	g := run[0].clone()
	h := read(p.Link, run[0])
	g.Data = g.Data[:h.payload]
	for _, f := range run {
		g.Data = append(g.Data, read(p.Link, f).body()...)
	}
	g.OrigLen = uint32(len(g.Data))
	end := run[len(run)-1]
	g.Data[h.l4+13] = end.Data[read(p.Link, end).l4+13]
	if !out {
		g.True = end.True
	}
	if h.version == 4 {
		be.PutUint16(g.Data[h.ip+2:], uint16(len(g.Data)-h.ip))
	} else {
		be.PutUint16(g.Data[h.ip+4:], uint16(len(g.Data)-h.ip-40))
	}
	read(p.Link, g).resum()
	return g
}
