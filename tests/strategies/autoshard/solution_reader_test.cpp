#include "strategies/autoshard/solution_reader.hpp"
