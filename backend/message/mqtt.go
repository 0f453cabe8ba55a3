package message

// mqttLength reads the remaining length (MQTT 5 §1.5.5) behind the first byte: value and its bytes, 0 bytes: none.
func mqttLength(b []byte) (value, size int) {
	for k := 1; k < len(b) && k <= 4; k++ {
		value |= int(b[k]&0x7f) << (7 * (k - 1))
		if b[k] < 0x80 {
			return value, k
		}
	}
	return 0, 0
}

// isMQTTConnect: CONNECT, with the protocol's name in its place.
func isMQTTConnect(b []byte) bool {
	_, size := mqttLength(b)
	if size == 0 || b[0] != 0x10 {
		return false
	}
	rest := b[1+size:]
	return hasPrefix(rest, "\x00\x04MQTT") || hasPrefix(rest, "\x00\x06MQIsdp")
}

// nameMQTT names the control packets that begin in a segment, a CONNECT with its client's id.
func nameMQTT(i *Info, b []byte, wire int, _ uint8) bool {
	names := [...]string{1: "CONNECT", 2: "CONNACK", 3: "PUBLISH", 4: "PUBACK", 5: "PUBREC", 6: "PUBREL", 7: "PUBCOMP",
		8: "SUBSCRIBE", 9: "SUBACK", 10: "UNSUBSCRIBE", 11: "UNSUBACK", 12: "PINGREQ", 13: "PINGRESP", 14: "DISCONNECT",
		15: "AUTH"}
	if isMQTTConnect(b) {
		_, size := mqttLength(b)
		c := cursor{b: b[1+size:]}
		c.vector(2)
		level := c.uint(1)
		c.take(3) // flags, keep alive
		if level >= 5 {
			n, size := mqttLength(append([]byte{0}, c.b[:min(4, len(c.b))]...))
			c.take(size + n)
		}
		id := c.vector(2)
		i.only(names[1], names[1]+" "+text(id.b), wire, len(b))
		return true
	}
	for off := 0; off < len(b) && len(i.Messages) < maxMessages; {
		n, size := mqttLength(b[off:])
		kind, flags := b[off]>>4, b[off]&15
		reserved := uint8(0)
		if kind == 6 || kind == 8 || kind == 10 {
			reserved = 2
		}
		if size == 0 || kind == 0 || kind != 3 && flags != reserved {
			break
		}
		i.add(names[kind], off, 1+size+n, len(b))
		off += 1 + size + n
	}
	return len(i.Messages) > 0
}
