package index

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/corr-dev/corr/backend/flow"
)

// keyLeast is the length, bytes, below which a key could be guessed.
const keyLeast = 16

// DefaultKey is where a user's key lies: index.key in corr's folder among the user's settings.
func DefaultKey() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "corr", "index.key"), nil
}

// LoadKey reads a key file: any secret of keyLeast bytes and more.
func LoadKey(path string) (*flow.Key, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(b) < keyLeast {
		return nil, fmt.Errorf("%s: a key of %d bytes can be guessed; it needs %d", path, len(b), keyLeast)
	}
	return flow.NewKey(b), nil
}

// OwnKey reads the user's own key, and makes one if there is none yet.
func OwnKey() (key *flow.Key, path string, made bool, err error) {
	if path, err = DefaultKey(); err != nil {
		return nil, "", false, err
	}
	if key, err = LoadKey(path); !errors.Is(err, fs.ErrNotExist) {
		return key, path, false, err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, path, false, err
	}
	text := []byte(hex.EncodeToString(secret) + "\n")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, path, false, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) { // another corr was faster
		key, err = LoadKey(path)
		return key, path, false, err
	} else if err != nil {
		return nil, path, false, err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, path, false, errors.Join(err, os.Remove(path))
	}
	return flow.NewKey(text), path, true, nil
}
