package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fullDisk has a disk of one megabyte with an earlier result, leaves it less and less room, and prints what corr says.
const fullDisk = `
set -eu
corr=$1 cases=$2 disk=$3
mount -t tmpfs -o size=1m none "$disk"
"$corr" correlate -q "$cases/routers-3-8/a.pcap" "$cases/routers-3-8/b.pcap" -o "$disk/out"
sum() { find "$disk" -type f ! -name filler ! -name said | sort | xargs cat | cksum; }
before=$(sum)
for room in 300 200 128 64 32 16 4 0; do
	rm -f "$disk/filler"
	free=$(df -k --output=avail "$disk" | tail -1)
	head -c $(((free - room) * 1024)) /dev/zero >"$disk/filler"
	code=0
	TMPDIR=$disk "$corr" correlate -q $4 "$cases/skype-story/a.pcap" "$cases/skype-story/b.pcapng" -o "$disk/out" 2>/tmp/said.$$ || code=$?
	echo "$room $code $(wc -l </tmp/said.$$) $(find "$disk" -mindepth 1 -maxdepth 1 | wc -l) $([ "$(sum)" = "$before" ] && echo old || echo new) $(cat /tmp/said.$$)"
	rm -f /tmp/said.$$
	[ $code = 1 ] || before=$(sum)
done
`

// On a disk without room corr says so in one line and leaves the earlier result as it was, and nothing else.
func TestFullDisk(t *testing.T) {
	if out, err := exec.Command("unshare", "--mount", "--map-root-user", "mount", "-t", "tmpfs", "none", "/mnt").CombinedOutput(); err != nil {
		t.Skipf("this system lets nobody have a disk of one's own: %s", out)
	}
	dir := t.TempDir()
	corr := build(t, dir)
	cases, err := filepath.Abs("../../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	disk := filepath.Join(dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, memory := range []string{"", "--memory=64M"} {
		out, err := exec.Command("unshare", "--mount", "--map-root-user", "sh", "-c", fullDisk, "sh", corr, cases, disk, memory).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		failed := 0
		for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			f := strings.SplitN(line, " ", 6)
			if len(f) < 6 || f[3] != "2" {
				t.Fatalf("files are left beside the result: %s", line)
			}
			switch code := f[1]; {
			case code == "0":
			case code != "1" || f[2] != "1" || f[4] != "old":
				t.Errorf("%s", line)
			case !strings.Contains(f[5], "the disk is full") && !strings.Contains(f[5], "no space left") && !strings.Contains(f[5], "no room"):
				t.Errorf("%s", line)
			default:
				failed++
			}
			t.Log(line)
		}
		if failed < 3 {
			t.Errorf("only %d jobs found the disk full", failed)
		}
	}
}
