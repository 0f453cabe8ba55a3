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
	free := valueIn("/proc/meminfo", "MemAvailable:") << 10
	// Inside of a container its own group is the root of what is mounted there. What it has read of files can be given back.
	const group = "/sys/fs/cgroup/memory."
	if limit := number(group + "max"); limit > 0 {
		left := limit - number(group+"current") + valueIn(group+"stat", "inactive_file") + valueIn(group+"stat", "active_file")
		if free == 0 || left < free {
			free = max(left, 1)
		}
	}
	return free
}

// valueIn finds a number in a file of lines "name number"; 0 for none.
func valueIn(path, name string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if w := strings.Fields(lines.Text()); len(w) > 1 && w[0] == name {
			n, _ := strconv.ParseInt(w[1], 10, 64)
			return n
		}
	}
	return 0
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
