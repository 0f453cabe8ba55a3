package exchange

// markedMost bounds the back exchanges that one front exchange can become: retries.
const markedMost = 4

// marked finds, for each back exchange, the front exchange whose header fields it carries on (-1 none): a request id, a
// cookie, an entity tag. What one front exchange alone says, and few behind, is its mark. A field that a proxy adds is in
// many behind; fields that contradict each other tell nothing.
func marked(front, back []*Exchange) []int {
	holder, holders := map[uint64]int{}, map[uint64]int{}
	for i, e := range front {
		for _, d := range e.Fields {
			if at, ok := holder[d]; ok && at != i {
				holder[d] = -1
			} else if !ok {
				holder[d] = i
			}
		}
	}
	for _, e := range back {
		for _, d := range e.Fields {
			holders[d]++
		}
	}
	out := make([]int, len(back))
	for j, e := range back {
		out[j] = -1
		for _, d := range e.Fields {
			i, ok := holder[d]
			switch {
			case !ok || i < 0 || holders[d] > markedMost:
			case out[j] == -1:
				out[j] = i
			case out[j] != i:
				out[j] = -2
			}
		}
		out[j] = max(out[j], -1)
	}
	return out
}
