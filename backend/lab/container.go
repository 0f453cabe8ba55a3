package lab

import (
	"fmt"
	"strings"

	"github.com/corr-dev/corr/backend/capture/capturetest"
)

var unitsTransform = Transform{"units", "us|ns@CAPTURE", "writes times in µs or ns", eachCapture(setUnits)}

func setUnits(_ *Case, p *Capture, a args) error {
	ns := a.value != "us"
	switch {
	case p.Format == capturetest.PcapNG && ns:
		p.Units = capturetest.Nanoseconds
	case p.Format == capturetest.PcapNG:
		p.Units = 0
	case ns:
		p.Format = capturetest.NanoPcap
	default:
		p.Format = capturetest.Pcap
	}
	return nil
}

var containerTransform = Transform{"container", "pcap|nspcap|pcapng|nspcapng[/be][/gzip|zstd|lz4]@CAPTURE",
	"writes another kind of file", eachCapture(setContainer)}

func setContainer(_ *Case, p *Capture, a args) error {
	label, ext := p.Label(), "pcap"
	p.BigEndian, p.Compress, p.Units = false, "", 0
	for _, word := range strings.Split(a.value, "/") {
		switch word {
		case "pcap":
			p.Format = capturetest.Pcap
		case "nspcap":
			p.Format = capturetest.NanoPcap
		case "pcapng":
			p.Format, ext = capturetest.PcapNG, "pcapng"
		case "nspcapng":
			p.Format, p.Units, ext = capturetest.PcapNG, capturetest.Nanoseconds, "pcapng"
		case "be":
			p.BigEndian = true
		case "gzip", "zstd", "lz4":
			p.Compress = word
		default:
			return fmt.Errorf("no container is called %q", word)
		}
	}
	p.File = label + "." + ext + map[string]string{"gzip": ".gz", "zstd": ".zst", "lz4": ".lz4"}[p.Compress]
	return nil
}

var renameTransform = Transform{"rename", "", "names the captures so that their order says nothing of the path", rename}

func rename(c *Case, a args) error {
	for i, n := range a.Perm(len(c.Captures)) {
		p := c.Captures[i]
		_, ext, _ := strings.Cut(p.File, ".")
		old := p.File
		p.File = fmt.Sprintf("tap%d.%s", n+1, ext)
		for _, q := range c.Pairs {
			if q.Around == old {
				q.Around = p.File
			}
		}
	}
	return nil
}
