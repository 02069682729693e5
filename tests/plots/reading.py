"""What is found on a finished figure."""

import numpy as np


def texts_of(figure):
    """Visible texts that are not empty."""
    import matplotlib.text

    return [
        text
        for text in figure.findobj(matplotlib.text.Text)
        if text.get_visible() and text.get_text().strip() and _is_shown(text, figure)
    ]


def _is_shown(text, figure):
    """Tick labels outside the limits or switched off are not drawn."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            for tick in axis.get_major_ticks():
                if text is tick.label2 or (text is tick.label1 and not tick.label1.get_visible()):
                    return False
                if text is tick.label1:
                    low, high = sorted(axis.get_view_interval())
                    return low - 1e-9 <= tick.get_loc() <= high + 1e-9
    return True


def boxes_of(figure):
    """Texts and their boxes in pixels."""
    figure.set_dpi(100)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    return [(text.get_text(), text.get_window_extent(renderer)) for text in texts_of(figure)]


def cut_texts(figure):
    """Texts that reach beyond the figure."""
    width, height = figure.get_size_inches() * figure.dpi
    return [
        words
        for words, box in boxes_of(figure)
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]


def covered_texts(figure):
    """Pairs of texts whose boxes overlap by more than a hair."""
    boxes = boxes_of(figure)
    found = []
    for place, (words, box) in enumerate(boxes):
        for other_words, other in boxes[place + 1 :]:
            wide = min(box.x1, other.x1) - max(box.x0, other.x0)
            high = min(box.y1, other.y1) - max(box.y0, other.y0)
            if wide > 2 and high > 4:
                found.append((words, other_words))
    return found


def lines_of(axes, colour):
    """Lines of a colour, as pairs of arrays."""
    return [
        (np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float))
        for line in axes.get_lines()
        if line.get_color() == colour
    ]
