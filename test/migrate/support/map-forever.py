"""Maps every blob of every OCI image layout below a directory into memory, over and over, without the
kernel's page cache of the round before, until standard input ends. Prints, as JSON, how many were
mapped and which had other bytes than their name says. A page that cannot be read ends it (SIGBUS).

    python3 map-forever.py DIRECTORY
"""

import hashlib
import json
import mmap
import os
import select
import sys

root = sys.argv[1]
blobs, wrong = 0, set()


def hash_of(algorithm, path):
    with open(path, 'rb') as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            return hashlib.new(algorithm).hexdigest()
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with mmap.mmap(file.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
            return hashlib.new(algorithm, mapped).hexdigest()


def failed(error):
    wrong.add(f'{error.filename}: {error.strerror}')


print('mapping', flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for directory, _, names in os.walk(root, onerror=failed):
        algorithm = os.path.basename(directory)
        if os.path.basename(os.path.dirname(directory)) != 'blobs':
            continue
        for name in names:
            path = os.path.join(directory, name)
            try:
                actual = hash_of(algorithm, path)
            except OSError as error:
                wrong.add(f'{path}: {error}')
                continue
            if actual != name:
                wrong.add(f'{path}: its bytes hash to {actual}')
            blobs += 1
print(json.dumps({'blobs': blobs, 'wrong': sorted(wrong)}), flush=True)
