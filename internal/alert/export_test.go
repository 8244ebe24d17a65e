package alert

import "crypto/x509"

// Trust has a channel trust a mail server with this certificate.
func (m *Mail) Trust(certificate *x509.Certificate) {
	m.roots = x509.NewCertPool()
	m.roots.AddCert(certificate)
}

// DialInstead has a channel dial an address, in place of that of its server.
func (m *Mail) DialInstead(address string) { m.address = address }
