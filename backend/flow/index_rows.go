package flow

import (
	"encoding/binary"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// placed is a fact, its frame, how long that was and its link-layer context.
type placed struct {
	*Fact
	frame  *uint32
	length uint32
	link   uint16
}

var factTable = table[placed]{
	{8, func(f *placed) uint64 { return uint64(f.Time()) }, func(f *placed, x uint64) { f.setTime(capture.LocalTime(x)) }},
	{4, func(f *placed) uint64 { return uint64(*f.frame) }, func(f *placed, x uint64) { *f.frame = uint32(x) }},
	u(func(f *placed) *uint32 { return &f.Seq }),
	u(func(f *placed) *uint32 { return &f.Ack }),
	u(func(f *placed) *uint32 { return &f.Full }),
	u(func(f *placed) *uint32 { return &f.Head }),
	u(func(f *placed) *uint32 { return &f.TSval }),
	u(func(f *placed) *uint16 { return &f.Opt }),
	u(func(f *placed) *uint32 { return &f.length }),
	{4, func(f *placed) uint64 { return uint64(f.Len()) }, func(f *placed, x uint64) { f.setLen(uint32(x)) }},
	u(func(f *placed) *uint16 { return &f.IPID }),
	u(func(f *placed) *uint16 { return &f.Window }),
	{2, func(f *placed) uint64 { return uint64(f.Flags()) }, func(f *placed, x uint64) { f.setFlags(uint16(x)) }},
	u(func(f *placed) *uint8 { return &f.TTL }),
	u(func(f *placed) *uint8 { return &f.TOS }),
	u(func(f *placed) *Mark { return &f.Mark }),
	u(func(f *placed) *uint16 { return &f.link }),
	{1, func(f *placed) uint64 { return uint64(f.Dir()) }, func(f *placed, x uint64) { f.setDir(uint16(x)) }},
}

var linkTable = table[Link]{
	{8, func(l *Link) uint64 { return mac(&l.Src) }, func(l *Link, x uint64) { setMAC(&l.Src, x) }},
	{8, func(l *Link) uint64 { return mac(&l.Dst) }, func(l *Link, x uint64) { setMAC(&l.Dst, x) }},
	yes(func(l *Link) *bool { return &l.HasMAC }),
	u(func(l *Link) *uint32 { return &l.Interface }),
	u(func(l *Link) *capture.Direction { return &l.Direction }),
	u(func(l *Link) *uint8 { return &l.VLANs }),
	u(func(l *Link) *uint16 { return &l.VLAN }),
	u(func(l *Link) *uint8 { return &l.NTunnel }),
	u(func(l *Link) *decode.Tunnel { return &l.Tunnel[0] }),
	u(func(l *Link) *decode.Tunnel { return &l.Tunnel[1] }),
	u(func(l *Link) *decode.Tunnel { return &l.Tunnel[2] }),
	u(func(l *Link) *decode.Tunnel { return &l.Tunnel[3] }),
	u(func(l *Link) *uint32 { return &l.VNI }),
	b8(func(l *Link) []byte { return l.OuterSrc[:8] }), b8(func(l *Link) []byte { return l.OuterSrc[8:] }),
	b8(func(l *Link) []byte { return l.OuterDst[:8] }), b8(func(l *Link) []byte { return l.OuterDst[8:] }),
	u(func(l *Link) *uint8 { return &l.OuterVer }),
}

func mac(m *[6]byte) uint64 {
	var b [8]byte
	copy(b[:], m[:])
	return binary.LittleEndian.Uint64(b[:])
}

func setMAC(m *[6]byte, x uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], x)
	copy(m[:], b[:])
}

// talk is a conversation and what its packets add up to.
type talk struct {
	Conv
	Info
	facts uint32
}

var talkTable = table[talk]{
	u(func(t *talk) *uint32 { return &t.facts }),
	b8(func(t *talk) []byte { return t.Src[:8] }), b8(func(t *talk) []byte { return t.Src[8:] }),
	b8(func(t *talk) []byte { return t.Dst[:8] }), b8(func(t *talk) []byte { return t.Dst[8:] }),
	u(func(t *talk) *uint16 { return &t.Sport }),
	u(func(t *talk) *uint16 { return &t.Dport }),
	u(func(t *talk) *uint8 { return &t.Proto }),
	u(func(t *talk) *uint8 { return &t.Version }),
	yes(func(t *talk) *bool { return &t.HasPorts }),
	u(func(t *talk) *uint16 { return &t.Instance }),
	u(func(t *talk) *int32 { return &t.Stream }),
	u(func(t *talk) *int32 { return &t.StreamBack }),
	u(func(t *talk) *uint32 { return &t.Conv.Packets }),
	u(func(t *talk) *capture.FrameNo { return &t.Conv.First }),
	u(func(t *talk) *uint32 { return &t.Info.Packets[0] }), u(func(t *talk) *uint32 { return &t.Info.Packets[1] }),
	u(func(t *talk) *uint32 { return &t.Errors[0] }), u(func(t *talk) *uint32 { return &t.Errors[1] }),
	u(func(t *talk) *uint64 { return &t.Bytes[0] }), u(func(t *talk) *uint64 { return &t.Bytes[1] }),
	u(func(t *talk) *uint32 { return &t.Info.First }), u(func(t *talk) *uint32 { return &t.Last }),
	u(func(t *talk) *int32 { return &t.SYN }), u(func(t *talk) *int32 { return &t.SYNACK }),
	u(func(t *talk) *uint32 { return &t.Data[0].Fact }), u(func(t *talk) *uint32 { return &t.Data[1].Fact }),
	yes(func(t *talk) *bool { return &t.Data[0].Seen }), yes(func(t *talk) *bool { return &t.Data[1].Seen }),
	u(func(t *talk) *uint32 { return &t.Data[0].H16 }), u(func(t *talk) *uint32 { return &t.Data[1].H16 }),
	u(func(t *talk) *uint32 { return &t.Data[0].H32 }), u(func(t *talk) *uint32 { return &t.Data[1].H32 }),
	u(func(t *talk) *uint32 { return &t.Data[0].H64 }), u(func(t *talk) *uint32 { return &t.Data[1].H64 }),
	u(func(t *talk) *uint8 { return &t.Data[0].Class }), u(func(t *talk) *uint8 { return &t.Data[1].Class }),
	u(func(t *talk) *uint16 { return &t.Flags[0] }), u(func(t *talk) *uint16 { return &t.Flags[1] }),
}

var handshakeTable = table[Handshake]{
	u(func(h *Handshake) *uint32 { return &h.Fact }),
	u(func(h *Handshake) *int32 { return &h.MSS }),
	u(func(h *Handshake) *int16 { return &h.WScale }),
	yes(func(h *Handshake) *bool { return &h.SACKPerm }), yes(func(h *Handshake) *bool { return &h.HasTS }),
	yes(func(h *Handshake) *bool { return &h.TFO }), yes(func(h *Handshake) *bool { return &h.MPTCP }),
	b8(func(h *Handshake) []byte { return h.Kinds[:8] }), b8(func(h *Handshake) []byte { return h.Kinds[8:] }),
	u(func(h *Handshake) *uint8 { return &h.NKinds }), yes(func(h *Handshake) *bool { return &h.Cut }),
}

var tieTable = table[Tie]{u(func(t *Tie) *capture.FrameNo { return &t.Frame }), u(func(t *Tie) *uint32 { return &t.Digest })}

// heldBytes are the fingerprints of one packet; the bytes themselves follow the table.
type heldBytes struct{ place, n uint32 }

var keptTable = table[heldBytes]{u(func(k *heldBytes) *uint32 { return &k.place }), u(func(k *heldBytes) *uint32 { return &k.n })}

// runOf is a run and its conversation.
type runOf struct {
	Run
	conv ConvID
}

var runTable = table[runOf]{
	u(func(r *runOf) *ConvID { return &r.conv }), u(func(r *runOf) *uint8 { return &r.Kind }), u(func(r *runOf) *uint8 { return &r.Dir }),
	u(func(r *runOf) *uint64 { return &r.Hash }), u(func(r *runOf) *uint64 { return &r.N }),
}

// frontOf is a front and its conversation.
type frontOf struct {
	Tuple
	dir  uint8
	conv ConvID
}

var frontTable = table[frontOf]{
	u(func(f *frontOf) *ConvID { return &f.conv }), u(func(f *frontOf) *uint8 { return &f.dir }),
	b8(func(f *frontOf) []byte { return f.Src[:8] }), b8(func(f *frontOf) []byte { return f.Src[8:] }),
	b8(func(f *frontOf) []byte { return f.Dst[:8] }), b8(func(f *frontOf) []byte { return f.Dst[8:] }),
	u(func(f *frontOf) *uint16 { return &f.Sport }), u(func(f *frontOf) *uint16 { return &f.Dport }),
}

// nameOf is a name, its conversation and the initiator's direction; the texts follow the table.
type nameOf struct {
	Name
	conv ConvID
	way  uint8
	n    uint32
}

var nameTable = table[nameOf]{
	u(func(n *nameOf) *ConvID { return &n.conv }), u(func(n *nameOf) *uint8 { return &n.way }),
	u(func(n *nameOf) *uint32 { return &n.Place }), u(func(n *nameOf) *uint32 { return &n.n }),
}
