package message

import "encoding/binary"

// isSSHKexInit recognises the first binary packet (RFC 4253 §6, §7.1): its list of algorithms is plain text.
func isSSHKexInit(b []byte) bool {
	const list = 4 + 1 + 1 + 16 // behind length, padding length, message number, cookie
	if len(b) < list+5 || b[5] != 20 {
		return false
	}
	n, names := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[list:])
	if n > 35000 || uint32(b[4]) >= n || names > n {
		return false
	}
	c := b[list+4]
	return c >= 'a' && c <= 'z'
}

// nameSSH names the identification line (RFC 4253 §4.2) or KEXINIT; all else is encrypted or numbers.
func nameSSH(i *Info, b []byte, wire int, _ uint8) bool {
	if hasPrefix(b, "SSH-") {
		line, _ := firstLine(b)
		if line == nil {
			return false
		}
		i.only("banner", string(line), wire, len(b))
		return true
	}
	if !isSSHKexInit(b) {
		return false
	}
	i.add("KEXINIT", 0, 4+int(binary.BigEndian.Uint32(b)), len(b))
	return true
}
