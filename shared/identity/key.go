package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"cloudcanvas/shared/durable"
)

// NewKey makes a private key: ECDSA on P-256, which mosquitto, Kafka and ZooKeeper of every version take.
func NewKey() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// WriteKey writes a private key that only its owner may read, whole or not at all.
func WriteKey(file string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return durable.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// ReadKey reads a private key that nobody but its owner and its group may read.
func ReadKey(file string) (crypto.Signer, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("the key %s can be read or changed by everyone on this machine (mode %04o): chmod 0600 it", file, info.Mode().Perm())
	}
	text, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no private key: it should begin with -----BEGIN PRIVATE KEY-----", file)
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s holds no private key that can be read (a key behind a password can't): %w", file, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s holds a key that can't sign", file)
	}
	return key, nil
}

// readOrMakeKey reads the key of a file, and makes one where there is no file.
func readOrMakeKey(file string) (crypto.Signer, error) {
	key, err := ReadKey(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = NewKey(); err != nil {
		return nil, err
	}
	return key, WriteKey(file, key)
}

// KeyDigest tells two public keys apart.
func KeyDigest(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}

// maxRequest bounds a certificate request: one with an RSA key of 4096 bits has 1.6 KiB.
const maxRequest = 16 << 10

// NewRequest is a certificate request for a name, as PEM, signed with its key.
func NewRequest(name string, key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// ParseRequest checks a certificate request and gives the key that it proves. What it asks for, names and
// uses, is for the authority to decide.
func ParseRequest(text []byte) (*x509.CertificateRequest, error) {
	if len(text) > maxRequest {
		return nil, fmt.Errorf("the certificate request has %d bytes, %d is the limit", len(text), maxRequest)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
		return nil, errors.New("there is no certificate request: it should begin with -----BEGIN CERTIFICATE REQUEST-----")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the certificate request can't be read: %w", err)
	}
	if err := fitKey(request.PublicKey); err != nil {
		return nil, err
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("the certificate request is not signed with its own key: %w", err)
	}
	return request, nil
}

// fitKey says why a public key gets no certificate. An RSA key is bounded before it is computed with.
func fitKey(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			return nil
		}
	case ed25519.PublicKey:
		return nil
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n >= 2048 && n <= 4096 {
			return nil
		}
	}
	return errors.New("the certificate request has a key of a kind that gets no certificate: ECDSA P-256 or P-384, Ed25519, or RSA of 2048 to 4096 bits do")
}
