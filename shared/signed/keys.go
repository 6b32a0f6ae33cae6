package signed

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/security"
)

// Files that Make writes. Both are PEM: PKCS#8 and SubjectPublicKeyInfo, as `openssl genpkey -algorithm ed25519`
// and `openssl pkey -pubout` write them.
const (
	KeyFile    = "signing.key"
	PublicFile = "signing.pub"
)

const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
	maxKeyFile   = 64 << 10
	// MaxTrusted bounds the keys that a device trusts: rotation needs two.
	MaxTrusted = 16
)

// KeyID tells keys apart: the first bytes of the sha256 of the public key.
type KeyID [8]byte

func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// IDOf is the id of a public key.
func IDOf(key ed25519.PublicKey) (id KeyID) {
	sum := sha256.Sum256(key)
	copy(id[:], sum[:])
	return id
}

// Make draws a key, writes both its files into dir, and gives the public key. Files that are there stay.
func Make(dir string) (ed25519.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	open, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	if err := durable.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name, block string
		der         []byte
		mode        fs.FileMode
	}{{KeyFile, privateBlock, secret, 0o600}, {PublicFile, publicBlock, open, 0o644}} {
		if err := writeNew(filepath.Join(dir, f.name), pem.EncodeToMemory(&pem.Block{Type: f.block, Bytes: f.der}), f.mode); err != nil {
			return nil, err
		}
	}
	return public, nil
}

func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and devices may trust it: name another folder", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// ReadKey reads a signing key, which others may not read.
func ReadKey(path string) (ed25519.PrivateKey, error) {
	text, err := security.ReadSecret(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("the signing key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != privateBlock {
		return nil, fmt.Errorf("the signing key %s is no PKCS#8 PEM file: it begins with -----BEGIN PRIVATE KEY-----; `canvas-cloud keys new --out DIR` makes one", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the signing key %s: %w", path, err)
	}
	signing, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the signing key %s is not an ed25519 key: `canvas-cloud keys new --out DIR` makes one", path)
	}
	return signing, nil
}

// Trusted gives the public keys that a device's settings name, each a PEM file with one or more keys or
// base64: of a key's SubjectPublicKeyInfo, which is what stands between the lines of such a file, or of
// its 32 bytes.
func Trusted(named []string) (keys []ed25519.PublicKey, err error) {
	for _, one := range named {
		some, err := trusted(one)
		if err != nil {
			return nil, err
		}
		keys = append(keys, some...)
	}
	if len(keys) > MaxTrusted {
		return nil, fmt.Errorf("%d keys are trusted, %d is the limit", len(keys), MaxTrusted)
	}
	return keys, nil
}

func trusted(one string) ([]ed25519.PublicKey, error) {
	if der, err := base64.StdEncoding.DecodeString(one); err == nil {
		if len(der) == ed25519.PublicKeySize {
			return []ed25519.PublicKey{der}, nil
		}
		if key, err := parsePublic(der); err == nil {
			return []ed25519.PublicKey{key}, nil
		}
	}
	text, err := security.ReadTrusted(one, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("a trusted key is neither a public key in base64 nor a file: %w", err)
	}
	var keys []ed25519.PublicKey
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type == privateBlock {
			return nil, fmt.Errorf("%s holds a signing key, which belongs to the cloud alone: give the device %s", one, PublicFile)
		}
		key, err := parsePublic(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no key in PEM: it begins with -----BEGIN PUBLIC KEY-----", one)
	}
	return keys, nil
}

func parsePublic(der []byte) (ed25519.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("it is not an ed25519 key")
	}
	return public, nil
}

// Text is a public key as trusted_keys takes it.
func Text(key ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(key) }
