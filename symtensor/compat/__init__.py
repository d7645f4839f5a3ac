"""Programs written for Theano: `import theano` gives symtensor, after `install()`.

>>> install()
>>> import theano
>>> import theano.tensor as T
>>> from theano.ifelse import ifelse
>>> x = T.dscalar("x")
>>> f = theano.function([x], ifelse(T.gt(x, 0), T.sqrt(x), x), mode="FAST_RUN")
>>> f(4.0), theano.__name__, T.exp.__module__
(array(2.), 'theano', 'symtensor.ops.elementwise')

`python -m symtensor.compat program.py` runs a program so, unchanged. What such modules hold is symtensor's own: the
table `addresses` says where each address of Theano's finds its names, `names` and `settings` have what is Theano's
alone. A name that is nowhere is an AttributeError, as it is in a Theano of another version.
"""

from symtensor.compat.addresses import Address, install

__all__ = ["Address", "install"]
