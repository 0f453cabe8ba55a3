package luagen

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/capture"
)

//go:embed mock.lua
var mock string

// provedFrames is more than the frames in step after which the plugin goes its quick way.
const provedFrames = 48

const provedStart = 1_700_000_000_000_000_000 // ns

// provedTables are what the frames of the proof refer to.
func provedTables() annotate.Tables {
	return annotate.Tables{
		Points: []annotate.Point{
			{Name: "client", Cell: "a.pcap", File: "a.pcap", Frames: provedFrames, ClockKnown: true, At: provedStart, Offset: 2_000_000_000},
			{Name: "server", Cell: "b.pcap", File: "b.pcap", Frames: 0},
		},
		Flows: []annotate.Flow{{ID: 7, Path: "client > server", PathReverse: "server > client", At: []annotate.FlowAt{
			{Point: 0, Stream: 3, RTT: 5_000_000, RTTClient: -1, RTTServer: -1}, {Point: 1, Stream: 4, RTT: -1, RTTClient: -1, RTTServer: -1}}}},
		Findings: []annotate.Finding{{ID: "loss", Severity: "warn", Title: "1 packet is lost"}},
	}
}

// provedFrame is the i-th frame (from 0) of the proof.
func provedFrame(i int) annotate.Frame {
	return annotate.Frame{Time: capture.LocalTime(provedStart + int64(i)*1_234_567), Len: uint32(60 + i), Flow: 7, Peer: capture.FrameNo(100 + i), HasDelay: true, Delay: int64(1_000_000 + i)}
}

// Frames (from 0) with further counterparts, of which the second ones' are too far in time for a word.
const (
	provedNear = 10
	provedFar  = 20
)

// provedPeers are counterparts, the first one with a delay.
func provedPeers(delay int64) []annotate.Peer {
	return []annotate.Peer{{Point: 1, Frame: 501, Stream: 9, Down: true, Match: "relayed", Confidence: 90, HasDelay: true, Delay: delay},
		{Point: 1, Frame: 502, Stream: -1, Match: "identical", Confidence: -1}}
}

// writeProof writes the corr.ann that the proof is about: every second frame was lost, and one is evidence.
func writeProof(path string) error {
	w, err := annotate.Create(path, provedTables())
	if err != nil {
		return err
	}
	c := annotate.Class{Match: "identical", Fate: "delivered", Origin: "client", Hops: 8, HopsPeer: 2, TTLInitial: 128, PeerPoint: 1, PeerDown: true, Confidence: 99, DelayError: 12_000}
	delivered := w.Class(c)
	c = annotate.Class{Fate: "lost", FateWhere: "client > server", Hops: -1, HopsPeer: -1, TTLInitial: -1, PeerPoint: -1, Confidence: 90, DelayError: -1}
	lost := w.Class(c)
	out := w.Capture(0)
	for i := range provedFrames {
		f := provedFrame(i)
		f.Class = delivered
		if i%2 == 1 {
			f.Class, f.Peer, f.HasDelay = lost, 0, false
		}
		switch i {
		case provedFrames - 1:
			f.Extra = &annotate.Extra{Findings: []int{0}}
		case provedNear:
			f.Extra = &annotate.Extra{Peers: provedPeers(1_000), MessagePeers: provedPeers(1_000)}
		case provedFar:
			f.Extra = &annotate.Extra{Peers: provedPeers(5_000_000_000), MessagePeers: provedPeers(5_000_000_000)}
		}
		if err := out.Put(capture.FrameNo(i+1), &f); err != nil {
			return err
		}
	}
	return w.Close()
}

// question is a frame that the plugin is asked about, and its answer.
type question struct {
	frame   int // number
	visible bool
	wanted  string // " name name "
	answer  string
}

// questions: frames in order, as Wireshark asks, most of them without a tree.
func questions() []question {
	var out []question
	wanted := " corr.flow corr.fate corr.peer_frame corr.delay "
	for n := 1; n <= provedFrames; n++ {
		q := question{frame: n, wanted: wanted, answer: fmt.Sprintf("corr.flow: 7\ncorr.fate: delivered\ncorr.peer_frame: %d\ncorr.delay: 0 s %d ns", 99+n, 1_000_000+n-1)}
		if n-1 == provedNear || n-1 == provedFar {
			q.answer = fmt.Sprintf("corr.flow: 7\ncorr.fate: delivered\ncorr.peer_frame: %d\ncorr.peer_frame: 501\ncorr.peer_frame: 502\ncorr.delay: 0 s %d ns", 99+n, 1_000_000+n-1)
		}
		if n%2 == 0 {
			q.answer = "corr.flow: 7\ncorr.fate: lost"
		}
		if n == provedFrames {
			q.answer += "\ncorr.expert.warn: 1 packet is lost"
		}
		out = append(out, q)
	}
	for _, n := range []int{provedNear + 1, provedFar + 1} {
		out = append(out, question{frame: n, visible: true, answer: "corr.peer_stream: 9\ncorr.peer_point: server\ncorr.message.peer: 501\ncorr.message.peer: 502"})
	}
	return append(out, question{frame: 3, visible: true, answer: "corr.point: client\ncorr.flow: 7\ncorr.path: client > server\ncorr.fate: delivered\ncorr.origin: client\ncorr.match: identical\n" +
		"corr.peer_frame: 102\ncorr.peer_point: server\ncorr.peer_stream: 4\ncorr.confidence: 99\ncorr.delay: 0 s 1000002 ns\ncorr.delay.error: 0 s 12000 ns\n" +
		"corr.time: 1699999998 s 2469134 ns\ncorr.rtt: 0 s 5000000 ns\ncorr.hops: 8\ncorr.hops.peer: 2\ncorr.ttl.initial: 128"})
}

// prove loads a corr.lua in an interpreter of Lua 5.1, beside a corr.ann made for the purpose in a folder within
// work, and asks it about frames.
func prove(src []byte, work string) error {
	dir, err := os.MkdirTemp(work, "corr-proof-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeProof(filepath.Join(dir, "corr.ann")); err != nil {
		return err
	}
	l, err := load(src, dir)
	if err != nil {
		return err
	}
	defer l.Close()
	for _, q := range questions() {
		if got, err := q.ask(l); err != nil {
			return err
		} else if !q.fits(got) {
			return fmt.Errorf("of frame %d it says %q, not %q", q.frame, got, q.answer)
		}
	}
	return nil
}

// load runs a corr.lua that lies in dir.
func load(src []byte, dir string) (*lua.LState, error) {
	l := lua.NewState()
	err := l.DoString(mock)
	if err == nil {
		// The name says where the script lies, as Wireshark's loader does.
		var f *lua.LFunction
		if f, err = l.Load(bytes.NewReader(src), "@"+filepath.Join(dir, "corr.lua")); err == nil {
			l.Push(f)
			err = l.PCall(0, 0, nil)
		}
	}
	if err == nil {
		err = l.CallByParam(lua.P{Fn: l.GetGlobal("ask_anew"), Protect: true})
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// fits reports whether an answer is the right one. Where a tree is shown, further fields may be there too.
func (q *question) fits(got string) bool {
	if !q.visible {
		return got == q.answer
	}
	lines := strings.Split(got, "\n")
	return !slices.ContainsFunc(strings.Split(q.answer, "\n"), func(want string) bool { return !slices.Contains(lines, want) })
}

// ask puts the question to the plugin.
func (q *question) ask(l *lua.LState) (string, error) {
	f := provedFrame(q.frame - 1)
	err := l.CallByParam(lua.P{Fn: l.GetGlobal("ask"), NRet: 1, Protect: true}, lua.LNumber(q.frame), lua.LNumber(f.Len), lua.LNumber(float64(f.Time)/1e9),
		lua.LBool(q.visible), lua.LString(q.wanted))
	if err != nil {
		return "", err
	}
	got := l.ToString(-1)
	l.Pop(1)
	return got, nil
}
