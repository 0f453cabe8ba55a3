package exchange

import (
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/message"
	"github.com/corr-dev/corr/backend/tlskey"
)

// opened reads a TLS conversation with its keys: the messages of both directions, and segments whose offsets count in the
// plaintext. ok is false where there are no keys for it, or its bytes are not all there.
func opened(c *flow.Capture, us [2][]unit, segs [2][]segment, keys *tlskey.Log, port uint16) (plain [2][]unit, parts [2][]segment, ok bool) {
	if keys.Empty() {
		return plain, parts, false
	}
	var client, server *message.TLS
	for i := range us[0] {
		if t := us[0][i].m.TLS; t != nil && t.Random != nil && client == nil {
			client = t
		}
	}
	for i := range us[1] {
		if t := us[1][i].m.TLS; t != nil && t.Random != nil && server == nil {
			server = t
		}
	}
	if client == nil || server == nil {
		return plain, parts, false
	}
	for d := range us {
		o := tlskey.NewOpener(keys, client.Random, server.Random, server.Cipher, d == 0)
		if o == nil {
			return plain, parts, false
		}
		bytes := streamBytes(c, segs[d])
		s := message.NewStream(d == 0, port)
		at := int64(0)
		for i := range us[d] {
			u := &us[d][i]
			if u.m.Proto != message.ProtoTLS || u.to > int64(len(bytes)) {
				continue
			}
			protected := u.m.Record == message.ContentApplicationData || server.Version < 0x0304 && u.m.Record == message.ContentHandshake
			if !protected {
				continue
			}
			text, kind, open := o.Open(bytes[u.from:u.to])
			if !open || kind != message.ContentApplicationData {
				continue
			}
			s.Write(uint64(at), text)
			parts[d] = append(parts[d], share(segs[d], u, at, int64(len(text)))...)
			at += int64(len(text))
		}
		s.Close()
		if len(parts[d]) == 0 {
			continue
		}
		for _, m := range s.Messages() {
			v := unit{m: m, from: int64(m.Off), to: int64(m.End()), dir: d}
			v.first, v.last = frameAt(parts[d], v.from), frameAt(parts[d], max(v.from, v.to-1))
			plain[d] = append(plain[d], v)
		}
	}
	return plain, parts, len(plain[0]) > 0
}

// streamBytes joins the kept bytes of a direction up to the first that is missing.
func streamBytes(c *flow.Capture, segs []segment) []byte {
	var out []byte
	for _, s := range segs {
		b, ok := c.Payload(s.frame)
		if !ok || s.off > int64(len(out)) || int64(len(b)) < s.end-s.off {
			break
		}
		out = append(out, b[int64(len(out))-s.off:]...)
	}
	return out
}

// share gives the frames of a record their parts of its plaintext, which begins at offset at.
func share(segs []segment, u *unit, at, size int64) []segment {
	ps := pieces(segs, u, 0, size)
	var out []segment
	for i := len(ps) - 1; i >= 0; i-- {
		if p := ps[i]; p.From > p.To {
			out = append(out, segment{at + size - p.From, at + size - p.To, p.Frame})
		}
	}
	return out
}
