package message

// cursor reads big-endian fields off the front of bytes that may end anywhere; short says that they did.
type cursor struct {
	b     []byte
	short bool
}

// take returns the next n bytes, or what there is of them.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.short, n = true, len(c.b)
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

// uint reads n bytes, at most 4; 0 where they are cut.
func (c *cursor) uint(n int) int {
	if len(c.b) < n {
		c.short, c.b = true, nil
		return 0
	}
	v := 0
	for _, x := range c.b[:n] {
		v = v<<8 | int(x)
	}
	c.b = c.b[n:]
	return v
}

// vector reads a length of n bytes and as many bytes as it says.
func (c *cursor) vector(n int) cursor {
	length := c.uint(n)
	return cursor{b: c.take(length)}
}
