#!/usr/bin/env python3
"""Writes the files of this folder, with Debian's python3-torch.

train.pt, legacy.bin and module.pt are of torch.save itself. PyTorch 1.13 does not import its
distributed checkpoint under Python 3.11; distributed/ has stand-ins of its classes under their
names, whose pickles have the same form (torch/distributed/checkpoint/metadata.py and
filesystem.py).
"""

import collections
import json
import os
import pickle
import struct
import sys
import types

import torch

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(0)


def small_model():
    model = torch.nn.Sequential(
        collections.OrderedDict(
            [
                ("embed", torch.nn.Embedding(16, 8)),
                ("fc", torch.nn.Linear(8, 16)),
                ("head", torch.nn.Linear(8, 16, bias=False)),
            ]
        )
    )
    model.head.weight = model.embed.weight
    return model


def torch_files():
    model = small_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.fc(model.embed(torch.tensor([1, 2]))).sum().backward()
    optimizer.step()
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "iteration": 3,
        "rng_state": torch.get_rng_state()[:16].clone(),
        "half": torch.zeros(2, 3, dtype=torch.bfloat16)[:, 1:],
    }
    torch.save(state, "train.pt")
    torch.save(model.state_dict(), "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save(model, "module.pt")


def safetensors(path, tensors, metadata):
    header = {"__metadata__": metadata}
    data = b""
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(data), len(data) + size],
        }
        data += bytes(size)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data)


def sharded():
    """A Llama of two layers, hidden 8, two heads of 4, one key-value head, MLP 16, vocabulary 32."""
    shapes = {"model.embed_tokens.weight": [32, 8]}
    for i in range(2):
        layer = f"model.layers.{i}."
        shapes[layer + "self_attn.q_proj.weight"] = [8, 8]
        shapes[layer + "self_attn.k_proj.weight"] = [4, 8]
        shapes[layer + "self_attn.v_proj.weight"] = [4, 8]
        shapes[layer + "self_attn.o_proj.weight"] = [8, 8]
        shapes[layer + "mlp.gate_proj.weight"] = [16, 8]
        shapes[layer + "mlp.up_proj.weight"] = [16, 8]
        shapes[layer + "mlp.down_proj.weight"] = [8, 16]
        shapes[layer + "input_layernorm.weight"] = [8]
        shapes[layer + "post_attention_layernorm.weight"] = [8]
    shapes["model.norm.weight"] = [8]
    shapes["lm_head.weight"] = [32, 8]
    os.makedirs("sharded", exist_ok=True)
    shards = [{}, {}]
    weight_map = {}
    for i, (name, shape) in enumerate(shapes.items()):
        elements = 1
        for extent in shape:
            elements *= extent
        shard = 0 if i < 10 else 1
        shards[shard][name] = ("BF16", shape, 2 * elements)
        weight_map[name] = f"model-0000{shard + 1}-of-00002.safetensors"
    total = sum(size for shard in shards for _, _, size in shard.values())
    for i, shard in enumerate(shards):
        safetensors(f"sharded/model-0000{i + 1}-of-00002.safetensors", shard, {"format": "pt"})
    with open("sharded/model.safetensors.index.json", "w") as out:
        json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, out, indent=1)
        out.write("\n")


# --- distributed checkpoint: classes under PyTorch's names ----------------------------------------


def stand_in(module, name):
    if module not in sys.modules:
        sys.modules[module] = types.ModuleType(module)
    made = type(name, (), {"__module__": module, "__qualname__": name})
    setattr(sys.modules[module], name, made)
    return made


def attributes(made, **values):
    one = made.__new__(made)
    one.__dict__.update(values)
    return one


def distributed():
    metadata = "torch.distributed.checkpoint.metadata"
    filesystem = "torch.distributed.checkpoint.filesystem"
    Metadata = stand_in(metadata, "Metadata")
    TensorStorageMetadata = stand_in(metadata, "TensorStorageMetadata")
    BytesStorageMetadata = stand_in(metadata, "BytesStorageMetadata")
    ChunkStorageMetadata = stand_in(metadata, "ChunkStorageMetadata")
    MetadataIndex = stand_in(metadata, "MetadataIndex")
    StorageInfo = stand_in(filesystem, "_StorageInfo")
    TensorProperties = stand_in(metadata, "TensorProperties")
    # The real one gives a tuple, too: (dtype, layout, requires_grad, memory format, pin_memory).
    TensorProperties.__getstate__ = lambda self: self.state
    TensorProperties.__setstate__ = lambda self, state: None

    tensors, storage = {}, {}
    ends = [0, 0]

    def add(name, shape, dtype, rows):
        chunks = []
        for rank, begin in enumerate(range(0, shape[0], rows)):
            offsets = torch.Size([begin] + [0] * (len(shape) - 1))
            sizes = torch.Size([rows] + list(shape[1:]))
            chunks.append(attributes(ChunkStorageMetadata, offsets=offsets, sizes=sizes))
            length = sizes.numel() * torch.empty(0, dtype=dtype).element_size() + 100
            storage[attributes(MetadataIndex, fqn=name, offset=offsets, index=rank)] = attributes(
                StorageInfo, relative_path=f"__{rank}_0.distcp", offset=ends[rank], length=length
            )
            ends[rank] += length
        properties = TensorProperties()
        properties.state = (dtype, None, False, None, False)
        tensors[name] = attributes(
            TensorStorageMetadata, properties=properties, size=torch.Size(shape), chunks=chunks
        )

    add("model.layers.0.weight", [16, 8], torch.bfloat16, 8)
    add("model.norm.weight", [8], torch.bfloat16, 8)
    add("optimizer.state.layers.0.weight.exp_avg", [16, 8], torch.float32, 8)
    tensors["train_state"] = BytesStorageMetadata()
    storage[attributes(MetadataIndex, fqn="train_state", offset=None, index=None)] = attributes(
        StorageInfo, relative_path="__0_0.distcp", offset=ends[0], length=10
    )
    ends[0] += 10
    os.makedirs("distributed", exist_ok=True)
    for rank, end in enumerate(ends):
        with open(f"distributed/__{rank}_0.distcp", "wb") as out:
            out.write(bytes(end))
    whole = attributes(
        Metadata,
        state_dict_metadata=tensors,
        planner_data=None,
        storage_data=storage,
        storage_meta=None,
        version="1.0.0",
    )
    with open("distributed/.metadata", "wb") as out:
        pickle.dump(whole, out)


torch_files()
sharded()
distributed()
