"""What a prompt takes along from the notebook, and what an answer leaves in it.

``ran_cells`` takes down what the cells show, ``recent`` and ``failure`` tell of it in
words, ``put_in`` puts values in for ``{{name}}``, ``question`` makes a prompt of all that, and
``new_cell`` puts an answer's code below. No foreign object is asked for its ``repr`` here.
"""
