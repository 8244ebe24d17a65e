//go:build !unix

package testdb

import "errors"

func startCluster() (string, error) {
	return "", errors.New("MILEPOST_TEST_DATABASE_URL is not set, and a throwaway cluster is only made on Unix")
}
