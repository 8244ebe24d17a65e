package alert_test

import (
	"testing"

	"milepost/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
