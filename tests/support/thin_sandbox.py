"""A sandbox that has pandas and no pyarrow, as E2B's code-interpreter template is."""

from __future__ import annotations

__all__ = ["WITHOUT_PYARROW"]

# A Python of its own; the next commands find it first.
WITHOUT_PYARROW = r"""
python3 -m venv --without-pip thin
from=$(python3 -c 'import pandas, os; print(os.path.dirname(os.path.dirname(pandas.__file__)))')
to=$(echo thin/lib/python3*/site-packages)
for each in numpy numpy.libs pandas pandas.libs dateutil six.py pytz tzdata; do
  [ -e "$from/$each" ] && ln -s "$from/$each" "$to"
done
for each in "$from"/{numpy,pandas}-*.dist-info; do ln -s "$each" "$to"; done
echo 'PATH=$HOME/thin/bin:$PATH' >.bash_profile
"""
