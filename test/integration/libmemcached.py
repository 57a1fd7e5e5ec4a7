# Asks the real libmemcached where it places keys. Reads {keys, cases: [{endpoints, weighted, hash}]}; writes, for
# each case, the index of the endpoint that each key belongs to. It calls nobody.
import ctypes
import json
import sys

HASH, KETAMA, KETAMA_WEIGHTED = 2, 3, 16  # memcached_behavior_t
HASHES = ["one_at_a_time", "md5", "crc32", "fnv1_64", "fnv1a_64", "fnv1_32", "fnv1a_32"]  # memcached_hash_t

lib = ctypes.CDLL("libmemcached.so.11")
lib.memcached_create.restype = ctypes.c_void_p
lib.memcached_create.argtypes = [ctypes.c_void_p]
lib.memcached_behavior_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64]
lib.memcached_server_add_with_weight.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint16, ctypes.c_uint32]
lib.memcached_generate_hash.restype = ctypes.c_uint32
lib.memcached_generate_hash.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]


def done(result):
    if result != 0:
        raise SystemExit(f"libmemcached answered {result}")


given = json.load(sys.stdin)
keys = [key.encode() for key in given["keys"]]
owners = []
for case in given["cases"]:
    client = lib.memcached_create(None)
    done(lib.memcached_behavior_set(client, KETAMA_WEIGHTED if case["weighted"] else KETAMA, 1))
    if "hash" in case:
        done(lib.memcached_behavior_set(client, HASH, HASHES.index(case["hash"])))
    for endpoint in case["endpoints"]:
        host = endpoint["host"].encode()
        done(lib.memcached_server_add_with_weight(client, host, endpoint["port"], endpoint["weight"]))
    owners.append([lib.memcached_generate_hash(client, key, len(key)) for key in keys])
    lib.memcached_free(ctypes.c_void_p(client))
json.dump(owners, sys.stdout)
