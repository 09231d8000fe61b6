#pragma once

#include "tests/strategies/autoshard/interpreter_support.hpp"

/// The operators of transformers.
namespace strategies::autoshard::interpreter {

void norm(const Operation& operation, Operands x, Results y);
void norm_backward(const Operation& operation, Operands x, Results y);
void rotary(const Operation& operation, Operands x, Results y);
void embedding(const Operation& operation, Operands x, Results y);
void embedding_backward(const Operation& operation, Operands x, Results y);
void attention(const Operation& operation, Operands x, Results y);
void attention_backward(const Operation& operation, Operands x, Results y);
void latent_keys(const Operation& operation, Operands x, Results y);
void latent_keys_backward(const Operation& operation, Operands x, Results y);
void cross_entropy(const Operation& operation, Operands x, Results y);
void cross_entropy_backward(const Operation& operation, Operands x, Results y);
void nll_loss(const Operation& operation, Operands x, Results y);
void dispatch(const Operation& operation, Operands x, Results y);
void combine(const Operation& operation, Operands x, Results y);
void combine_backward(const Operation& operation, Operands x, Results y);

}  // namespace strategies::autoshard::interpreter
