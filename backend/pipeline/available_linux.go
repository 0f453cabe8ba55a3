package pipeline

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// available is how many bytes of memory this process may still take before others suffer: what the kernel could free, or
// what is left of the control group's limit (a container's). 0: not known.
func available() int64 {
	free := int64(0)
	if f, err := os.Open("/proc/meminfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if w := strings.Fields(lines.Text()); len(w) > 1 && w[0] == "MemAvailable:" {
				kb, _ := strconv.ParseInt(w[1], 10, 64)
				free = kb << 10
			}
		}
	}
	// Inside of a container its own group is the root of what is mounted there.
	for _, names := range [][2]string{{"memory.max", "memory.current"}, {"memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"}} {
		limit, used := number("/sys/fs/cgroup/"+names[0]), number("/sys/fs/cgroup/"+names[1])
		if limit > 0 && (free == 0 || limit-used < free) {
			free = max(limit-used, 1)
		}
	}
	return free
}

// number reads a file that holds one; 0 for none ("max", no such file).
func number(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n
}
