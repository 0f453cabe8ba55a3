//go:build corpus

package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// about are the fields of a record, which come before those of its headers.
var about = []string{"frame.time_epoch", "frame.len", "frame.cap_len"}

// corpusTogether is how many captures tshark reads as one: it takes far longer to start than to read any of them, and no more files
// than a process may have open can be joined.
const corpusTogether = 300

// TestCorpus reads captures that others test their parsers with, many of them broken on purpose: the same frames and
// fields as tshark's, and the same point of truncation.
func TestCorpus(t *testing.T) {
	var total struct{ files, frames, compared, foreign, refused, excepted int }
	for files := range slices.Chunk(capturetest.Corpus(t), corpusTogether) {
		for k, lines := range shown(t, files) {
			t.Run(filepath.Base(files[k]), func(t *testing.T) {
				total.files++
				if len(lines) == 0 {
					total.refused++ // records longer than Wireshark allows, at the first one
				}
				frames, compared, foreign := compareFile(t, files[k], lines)
				total.frames += frames
				total.compared += compared
				if foreign {
					total.foreign++
				}
				if exceptions[filepath.Base(files[k])] != "" {
					total.excepted++
				}
			})
		}
	}
	t.Logf("%d files, %d frames, %d of them with IP compared field by field, %d files of formats that corr does not read, %d that tshark does not read, %d excepted",
		total.files, total.frames, total.compared, total.foreign, total.refused, total.excepted)
}

// shown is what tshark shows of the frames of some files, a line each: of what editcap, which reads as tshark does, reads of them.
func shown(t *testing.T, files []string) [][]string {
	t.Helper()
	dir := t.TempDir()
	count := []string{"-T", "-r", "-c", "-M"}
	join := []string{"-a", "-F", "pcapng", "-w", filepath.Join(dir, "all")}
	read := make([]string, len(files))
	alone := make([]bool, len(files))
	for k, file := range files {
		out := filepath.Join(dir, fmt.Sprint(k))
		// It says what is wrong with a file, and so do we; of one that it can't read there is nothing, or no frame.
		if exec.Command("editcap", "-F", "nsecpcap", file, out).Run() != nil {
			said, _ := exec.Command("editcap", "-F", "pcapng", file, out).CombinedOutput() // which may have frames of several link types
			alone[k] = bytes.Contains(said, []byte("can't be written"))
		}
		if _, err := os.Stat(out); err == nil && !alone[k] {
			read[k] = out
			count, join = append(count, out), append(join, out)
		}
	}
	run := func(name string, args ...string) []string {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines := strings.SplitAfter(string(out), "\n")
		return lines[:len(lines)-1]
	}
	frames := map[string]int{}
	for _, line := range run("capinfos", count...) {
		path, n, _ := strings.Cut(strings.TrimSpace(line), "\t")
		var err error
		if frames[path], err = strconv.Atoi(n); err != nil {
			t.Fatalf("capinfos: %q", line)
		}
	}
	run("mergecap", join...)
	args := []string{"-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-T", "fields"}
	for _, f := range append(slices.Clone(about), fields...) {
		args = append(args, "-e", f)
	}
	show := func(file string) []string { return run("tshark", append(slices.Clone(args), "-r", file)...) }
	lines := show(filepath.Join(dir, "all"))
	out := make([][]string, len(files))
	for k := range out {
		if alone[k] {
			out[k] = show(files[k])
			continue
		}
		n := frames[read[k]]
		out[k], lines = lines[:n], lines[n:]
	}
	if len(lines) > 0 {
		t.Fatalf("%d frames more than there are", len(lines))
	}
	return out
}

// compareFile compares one capture with what tshark shows of its frames.
func compareFile(t *testing.T, file string, lines []string) (frames, compared int, foreign bool) {
	fail := t.Errorf
	if exceptions[filepath.Base(file)] != "" {
		fail = func(string, ...any) {}
	}
	r, err := capture.Open(file)
	if err != nil {
		return 0, 0, true
	}
	defer r.Close()
	if len(lines) == 0 {
		return
	}
	var in capture.Packet
	var p Packet
	for {
		err := r.Next(&in)
		if err != nil {
			var cut *capture.TruncatedError
			if err != io.EOF && !errors.As(err, &cut) {
				fail("ends at frame %d: %v", in.Number, err)
			}
			break
		}
		if frames == len(lines) {
			fail("frame %d: tshark has %d only", in.Number, frames)
			break
		}
		values := map[string]string{}
		for i, v := range strings.Split(strings.TrimRight(lines[frames], "\n"), "\t") {
			if i < len(about) {
				values[about[i]] = v
			} else {
				values[fields[i-len(about)]] = v
			}
		}
		frames++
		for _, d := range recordDifferences(&in, values) {
			fail("frame %d: %s", in.Number, d)
			return
		}
		Decode(in.Link, in.Data, in.OrigLen, &p)
		if p.IP.Version == 0 || strings.Contains(values["frame.protocols"], "malformed") {
			continue // where neither reads more, or tshark itself gave up, is no ground to compare on
		}
		compared++
		if ds := slices.DeleteFunc(differences(&p, values), explained); len(ds) > 0 {
			fail("frame %d: %s", in.Number, strings.Join(ds, "; "))
			return
		}
	}
	if frames < len(lines) {
		fail("%d frames, tshark has %d", frames, len(lines))
	}
	return
}

// explained reports whether a difference is one of those that broken headers make everywhere:
//   - tshark shows nothing of a header that it takes for none,
//   - it shows UDP's length field, we the payload that there is,
//   - it counts reserved bits among TCP's flags (RFC 9293 §3.1).
func explained(d string) bool {
	field, rest, _ := strings.Cut(d, ": got ")
	g, w, ok := strings.Cut(rest, ", tshark ")
	if !ok {
		return false
	}
	got, _ := strconv.ParseInt(g, 10, 64)
	want, _ := strconv.ParseInt(w, 10, 64)
	return w == "" || field == "udp.length" && want > got || field == "tcp.flags" && want&0x1ff == got
}

// recordDifferences compares a record's time and lengths. tshark cuts lengths beyond 2^31-1, and of microseconds that are a million
// and more (broken on purpose) what 32 bits do not hold: it is seconds off then.
func recordDifferences(in *capture.Packet, values map[string]string) (out []string) {
	if n, err := strconv.ParseInt(values["frame.len"], 10, 64); err == nil && n < 1<<31-1 && n != int64(in.OrigLen) {
		out = append(out, fmt.Sprintf("length %d, tshark %d", in.OrigLen, n))
	}
	if n := values["frame.cap_len"]; n != fmt.Sprint(len(in.Data)) {
		out = append(out, fmt.Sprintf("captured length %d, tshark %s", len(in.Data), n))
	}
	sec, frac, _ := strings.Cut(values["frame.time_epoch"], ".")
	if s, err := strconv.ParseInt(sec, 10, 64); err == nil && len(frac) == 9 && in.HasTime && s >= 0 {
		off := int64(in.Time)/1e9 - s
		if got := fmt.Sprintf("%d.%09d", int64(in.Time)/1e9, int64(in.Time)%1e9); got != sec+"."+frac && (off == 0 || max(off, -off) > 4294) {
			out = append(out, fmt.Sprintf("time %s, tshark %s.%s", got, sec, frac))
		}
	}
	return out
}

// exceptions are files that corr reads otherwise, and why.
var exceptions = map[string]string{
	"tcpdump-4.99.3_tests_bgp_vpn_rt-oobr.pcap":                     "a record's length is damaged; tshark takes what follows for records, we stop there",
	"tcpdump-4.99.3_tests_atm-heapoverflow.pcap":                    "tshark takes the pseudo-header of SunATM off the length",
	"tcpdump-4.99.3_tests_atm-oam-heapoverflow.pcap":                "tshark takes the pseudo-header of SunATM off the length",
	"tcpdump-4.99.3_tests_PIM_register_register-stop.pcap":          "PIM Register (RFC 7761 §4.9.3) is not opened",
	"tcpdump-4.99.3_tests_pim-packet-assortment.pcap":               "PIM Register is not opened",
	"tcpdump-4.99.3_tests_of13_ericsson.pcapng":                     "packets inside of OpenFlow messages are not opened",
	"tcpdump-4.99.3_tests_nsh-over-vxlan-gpe.pcap":                  "VXLAN-GPE is not opened",
	"tcpdump-4.99.3_tests_mpls-over-udp.pcap":                       "MPLS in UDP (RFC 7510) is not opened",
	"tcpdump-4.99.3_tests_ipv6-srh-ipproto-ether.pcap":              "Ethernet in IPv6 (next header 143, RFC 8986) is not opened",
	"tcpdump-4.99.3_tests_icmpv6-rfc7112.pcap":                      "an ICMPv6 error quotes a first fragment of IPv6 in IPv6, which tshark opens and we do not",
	"nDPI-4.2_tests_pcap_reasm_crash_anon.pcapng":                   "TCP's header length is below 20: tshark counts payload from there, we find none",
	"nDPI-4.2_tests_pcap_kerberos_fuzz.pcapng":                      "TCP's header length is below 20",
	"nDPI-4.2_tests_pcap_ipv6_in_gtp.pcap":                          "the innermost packet is ESP; the test takes the tunnel's ports for its",
	"nDPI-4.2_tests_pcap_capwap.pcap":                               "CAPWAP is not opened",
	"wireshark-v4.0.17_test_captures_wireguard-ping-tcp-dsb.pcapng": "WireGuard is not opened, also where the capture holds its keys",
}
