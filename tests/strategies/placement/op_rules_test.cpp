#include "tests/strategies/placement/support.hpp"
